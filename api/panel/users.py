"""Access: the people who sign in, their roles, their sessions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs, principal
from api.panel.look import errors_of, go, page
from api.rest import lists
from api.rest.routes import row_path
from workers import sessions, users
from workers.errors import Conflict, InvalidFields

PAGE = 50
ROLES = (
    ("viewer", "viewer: sees all but access"),
    ("operator", "operator: also syncs, releases, retries, replays"),
    ("admin", "admin: also changes sites, settings and access"),
)


def blueprint() -> Blueprint:
    """`/access` and a page for each person."""
    pages = Blueprint("users", __name__)
    one = f"/access/users{row_path('user_id')}"
    pages.get("/access")(show_all)
    pages.get("/access/users/new")(new)
    pages.post("/access/users/new")(create)
    pages.get(one)(show_user)
    pages.post(f"{one}/role")(set_role)
    pages.get(f"{one}/password")(password)
    pages.post(f"{one}/password")(set_password)
    pages.post(f"{one}/deactivate")(deactivate)
    pages.post(f"{one}/activate")(activate)
    pages.post(f"{one}/sign-out")(sign_out)
    return pages


@needs("admin")
def show_all() -> Response:
    """Everybody, by name."""
    after = lists.decode(request.args.get("cursor"), "users", [int])
    found = users.people(PAGE + 1, after=after[0] if after else None)
    shown, following = lists.page("users", found, PAGE, lambda person: [person.id])
    return page("users.html", title="Access", people=shown, next=following)


@needs("admin")
def new() -> Response:
    """The form for a person to add."""
    return _new()


@needs("admin")
def create() -> Response:
    """Add a person."""
    name, role = request.form.get("name", ""), request.form.get("role", "")
    audit.note(role=role if role in users.ROLES else "unknown")
    try:
        made = users.create(name, role, passwords())
    except (InvalidFields, Conflict) as error:
        return _new(422 if isinstance(error, InvalidFields) else 409, errors_of(error))
    audit.note(subject=f"user {made.id}", name=made.name)
    return go(url_for("panel.users.show_all"), f"{made.name} may sign in as {role}.")


@needs("admin")
def show_user(user_id: int) -> Response:
    """One person: role, password, sessions."""
    person = users.get(user_id)
    return page(
        "user.html",
        title=person.name,
        shown=person,
        is_me=_is_me(user_id),
        roles=ROLES,
        opened=sessions.of(user_id),
    )


@needs("admin")
def set_role(user_id: int) -> Response:
    """Give a person another role, which signs them out: the next sign-in is under it."""
    role = request.form.get("role", "")
    return _changed(user_id, {"role": role}, f"is {role} from the next sign-in on.")


@needs("admin")
def password(user_id: int) -> Response:
    """The form for a new password."""
    return _password(user_id)


@needs("admin")
def set_password(user_id: int) -> Response:
    """Give a person a new password, which signs them out everywhere."""
    try:
        person = users.change(user_id, {"password": passwords()})
    except InvalidFields as error:
        return _password(user_id, 422, errors_of(error))
    return go(_back(user_id), f"{person.name} has a new password, and is signed out everywhere.")


@needs("admin")
def deactivate(user_id: int) -> Response:
    """Shut a person out, at once."""
    return _changed(user_id, {"active": False}, "can't sign in any more, and is signed out everywhere.")


@needs("admin")
def activate(user_id: int) -> Response:
    """Let a person in again."""
    return _changed(user_id, {"active": True}, "may sign in again.")


@needs("admin")
def sign_out(user_id: int) -> Response:
    """End all sessions of a person."""
    person = users.get(user_id)
    ended = sessions.end_all(user_id)
    audit.note(sessions=ended)
    return go(_back(user_id), f"{person.name} is signed out everywhere.")


def passwords() -> str:
    """The password that was typed twice. Raises InvalidFields where they differ."""
    first, again = request.form.get("password", ""), request.form.get("again", "")
    if first != again:
        raise InvalidFields([users.DIFFERENT])
    return first


def _changed(user_id: int, change: dict[str, Any], said: str) -> Response:
    audit.note(**change)
    try:
        person = users.change(user_id, change)
    except (Conflict, InvalidFields) as error:
        told = " ".join(f"{field}: {message}." for field, message in errors_of(error).items())
        return go(url_for("panel.users.show_user", user_id=user_id), f"Not changed: {told}", "bad")
    return go(_back(user_id), f"{person.name} {said}")


def _is_me(user_id: int) -> bool:
    return principal().id == user_id


def _back(user_id: int) -> str:
    # Whoever has just signed themself out sees the message where they land.
    return (
        url_for("panel.sign_in.show")
        if _is_me(user_id)
        else url_for("panel.users.show_user", user_id=user_id)
    )


def _new(status: int = 200, errors: dict[str, str] | None = None) -> Response:
    return page("user_new.html", status, title="Add a person", roles=ROLES, errors=errors or {})


def _password(user_id: int, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    person = users.get(user_id)
    return page("user_password.html", status, title="New password", shown=person, errors=errors or {})
