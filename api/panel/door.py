"""The way into the panel: a session in a cookie, and proof that a form was ours."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect

from api.errors import ProblemError, problem
from models.access import User
from models.config import settings
from workers import sessions
from workers.principals import Principal

SESSION_KEY = "session"  # in the signed cookie; the rest of a session is in PostgreSQL
csrf = CSRFProtect()


class SignInNeeded(Exception):  # noqa: N818
    """Nobody is signed in here, or not any more."""


class _Cookie(SecureCookieSessionInterface):
    """Flask's signed cookie, marked for HTTPS alone wherever it came by HTTPS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure

    def get_cookie_name(self, app: Flask) -> str:
        # The prefix makes the browser refuse one that another host of the domain has set.
        return "__Host-inventory-sync" if request.is_secure else "inventory-sync"


def init_app(app: Flask, panel: Blueprint) -> None:
    """Give the app its cookie, and the panel's forms their protection."""
    app.secret_key = settings().secret_key
    app.session_interface = _Cookie()
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_CHECK_DEFAULT=False,  # the API takes tokens in a header, which no form of another site can send
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    csrf.init_app(app)
    panel.before_request(_check_form)
    app.register_error_handler(SignInNeeded, _ask_to_sign_in)
    app.register_error_handler(CSRFError, _stale_form)


def principal() -> Principal:
    """Whoever is signed in. Raises SignInNeeded."""
    token = session.get(SESSION_KEY)
    found = sessions.find(token) if isinstance(token, str) else None
    if found is None:
        raise SignInNeeded
    return found


def begin(person: User) -> None:
    """Sign a person in here, under a new name of the session, so that none can be planted."""
    session.clear()
    session.permanent = False
    session[SESSION_KEY] = sessions.begin(
        person, address=request.remote_addr or "", browser=request.headers.get("User-Agent", "")
    )


def is_private_enough() -> bool:
    """Whether a password may be typed here: by HTTPS, on this very machine, or where an admin allows it."""
    if request.is_secure or settings().allow_plain_http:
        return True
    host = urlsplit(f"//{request.host}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def local_path(address: str | None) -> str:
    """The address to go on to after the sign-in, if it is one of ours; else the overview."""
    parts = urlsplit(address or "")
    ours = (address or "").startswith("/") and not (address or "").startswith(("//", "/\\"))
    return address if address and ours and not parts.netloc else url_for("panel.overview.show")


def _check_form() -> None:
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        csrf.protect()


def _ask_to_sign_in(_: SignInNeeded) -> Response:
    g.pop("principal", None)
    address = url_for("panel.sign_in.show")
    if request.method == "GET" and "HX-Request" not in request.headers:
        return redirect(url_for("panel.sign_in.show", next=request.full_path.rstrip("?")), 303)  # type: ignore[return-value]
    if "HX-Request" in request.headers:
        # A script would show the sign-in in the middle of the page; this makes it go there.
        return Response(status=401, headers={"HX-Redirect": address})
    return redirect(address, 303)  # type: ignore[return-value]


def _stale_form(error: CSRFError) -> Response:
    current_app.logger.debug("a form was refused: %s", error.description)
    stale = ProblemError(
        400, "stale_form", "This form is too old, or not ours: reload the page and try again."
    )
    return problem(stale)
