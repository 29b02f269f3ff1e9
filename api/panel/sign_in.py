"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, request, session, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import PUBLIC, needs, principal
from api.panel import door
from api.panel.look import go, page
from workers import sessions, users
from workers.sign_in import TooManyFailures, sign_in

PLAIN_HTTP = (
    "This page came over plain HTTP, where anyone on the way could read your password. Open it by HTTPS; "
    "behind a proxy that speaks HTTPS, set TRUSTED_PROXIES."
)
WRONG = "This name and password don't belong together."


def blueprint() -> Blueprint:
    """`/sign-in`, `/sign-out` and the choice of light or dark."""
    pages = Blueprint("sign_in", __name__)
    pages.get("/sign-in")(show)
    pages.post("/sign-in")(enter)
    pages.post("/sign-out")(leave)
    pages.post("/sign-out/everywhere")(leave_everywhere)
    return pages


@needs(PUBLIC)
def show() -> Response:
    """The form; where nobody can sign in yet, how to make the first user."""
    return _form()


@needs(PUBLIC)
def enter() -> Response:
    """Check the password; begin a session under a new name, so that none can be planted."""
    if not door.is_private_enough():
        return _form(PLAIN_HTTP, 403)
    name, password = request.form.get("name", ""), request.form.get("password", "")
    audit.note(actor=name[:200])
    try:
        person = sign_in(name, password, address=request.remote_addr or "")
    except TooManyFailures as error:
        return _form(f"Too many failed tries: wait {error.seconds:.0f} s before the next.", 429)
    if person is None:
        return _form(WRONG, 422)
    door.begin(person)
    return go(door.local_path(request.form.get("next")))


@needs("read")
def leave() -> Response:
    """End this session."""
    sessions.end(session.get(door.SESSION_KEY, ""))
    session.clear()
    return go(url_for("panel.sign_in.show"), "You are signed out.")


@needs("read")
def leave_everywhere() -> Response:
    """End every session of this person, this one too."""
    ended = sessions.end_all(principal().id)
    audit.note(sessions=ended)
    session.clear()
    browsers = "one browser" if ended == 1 else f"{ended} browsers"
    return go(url_for("panel.sign_in.show"), f"You are signed out everywhere: of {browsers}.")


def _form(error: str | None = None, status: int = 200) -> Response:
    return page(
        "sign_in.html",
        status,
        title="Sign in",
        error=error or (None if door.is_private_enough() else PLAIN_HTTP),
        anybody=users.anybody(),
        name=request.form.get("name", ""),
        next=request.values.get("next", ""),
    )
