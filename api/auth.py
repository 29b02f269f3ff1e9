"""Who asks, and may they? Checked before anything of the request is read: by token, or by a door of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from api.errors import ProblemError
from models.access import SCOPES
from workers.principals import Principal
from workers.tokens import check

F = TypeVar("F", bound=Callable[..., Any])

PUBLIC = "public"
_CHALLENGE = 'Bearer realm="inventory-sync"'


def needs(scope: str) -> Callable[[F], F]:
    """Declare the scope that a view needs: read, sync, admin, or public for none."""
    assert scope in (*SCOPES, PUBLIC)

    def declare(view: F) -> F:
        view.needs_scope = scope  # type: ignore[attr-defined]
        return view

    return declare


Door = Callable[[], Principal]
"""Tells who asks, or raises."""


def init_app(app: Flask, doors: dict[str, Door] | None = None) -> None:
    """Check every request whose address exists. doors: of the blueprints that take no tokens, by their names."""
    app.extensions["doors"] = doors or {}
    app.before_request(_authorize)


def principal() -> Principal:
    """Who asks, in a view that needs a scope."""
    found: Principal = g.principal
    return found


def requested_by() -> str:
    """Who asks, as it is kept with what they asked for."""
    return str(principal())


def _authorize() -> None:
    if request.endpoint is None:  # no such address: 404 or 405, which tells nothing
        return
    # A view that declares nothing is for admins: forgetting must not open a door.
    scope = getattr(current_app.view_functions[request.endpoint], "needs_scope", "admin")
    if scope == PUBLIC:
        return
    outermost = request.blueprints[-1] if request.blueprints else ""
    g.principal = current_app.extensions["doors"].get(outermost, _bearer)()
    if not g.principal.may(scope):
        challenge = {"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'}
        detail = f"This needs a {g.principal.kind} of scope {scope}."
        raise ProblemError(403, "scope_missing", detail, headers=challenge)


def _bearer() -> Principal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        challenge = {"WWW-Authenticate": _CHALLENGE}
        raise ProblemError(401, "token_missing", "Send a token: Authorization: Bearer ...", headers=challenge)
    found = check(token.strip())
    if found is None:
        challenge = {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'}
        raise ProblemError(401, "token_invalid", "This token is unknown or revoked.", headers=challenge)
    return found
