"""One's own account: the password, and where one is signed in."""

from __future__ import annotations

from flask import Blueprint, request, session, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs, principal
from api.panel import door
from api.panel.look import errors_of, go, page
from api.panel.users import passwords
from workers import sessions, users
from workers.errors import FieldError, InvalidFields
from workers.sign_in import TooManyFailures, sign_in


def blueprint() -> Blueprint:
    """`/account`."""
    pages = Blueprint("account", __name__)
    pages.get("/account")(show)
    pages.post("/account")(set_password)
    return pages


@needs("read")
def show() -> Response:
    """Who is signed in here, and where else."""
    return _page()


@needs("read")
def set_password() -> Response:
    """Change one's own password: every other browser is signed out, this one stays."""
    me = principal()
    audit.note(subject=f"user {me.id}")
    try:
        # As slow after failures as the sign-in: who found this browser open must not guess here instead.
        right = sign_in(me.name, request.form.get("current", ""), address=request.remote_addr or "")
        if right is None:
            raise InvalidFields([FieldError("current", "is not your password")])
        person = users.change(me.id, {"password": passwords()})
    except TooManyFailures as error:
        wait = f"too many failed tries: wait {error.seconds:.0f} s before the next"
        return _page(429, {"current": wait})
    except InvalidFields as error:
        return _page(422, errors_of(error))
    door.begin(person)
    return go(url_for("panel.account.show"), "Your password is changed; every other browser is signed out.")


def _page(status: int = 200, errors: dict[str, str] | None = None) -> Response:
    me = principal()
    return page(
        "account.html",
        status,
        title="Your account",
        me=users.get(me.id),
        opened=sessions.of(me.id, token=session.get(door.SESSION_KEY, "")),
        errors=errors or {},
    )
