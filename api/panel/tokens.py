"""Access: the tokens of the REST API. The text of one is shown in the answer that makes it, and nowhere else."""

from __future__ import annotations

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs
from api.panel.look import errors_of, go, page
from api.rest import lists
from api.rest.routes import row_path
from workers import tokens
from workers.errors import InvalidFields

PAGE = 50
SCOPES = (
    ("read", "read: sees all but tokens"),
    ("sync", "sync: also syncs, releases, retries, replays"),
    ("admin", "admin: also changes sites, settings and tokens"),
)


def blueprint() -> Blueprint:
    """`/access/tokens`."""
    pages = Blueprint("tokens", __name__)
    pages.get("/access/tokens")(show_all)
    pages.get("/access/tokens/new")(new)
    pages.post("/access/tokens/new")(create)
    pages.post(f"/access/tokens{row_path('token_id')}/revoke")(revoke)
    return pages


@needs("admin")
def show_all() -> Response:
    """All tokens, the newest first, revoked ones too."""
    before = lists.decode(request.args.get("cursor"), "panel-tokens", [int])
    found = tokens.newest(before[0] if before else None, PAGE + 1)
    shown, following = lists.page("panel-tokens", found, PAGE, lambda token: [token.id])
    return page("tokens.html", title="Tokens", tokens=shown, next=following)


@needs("admin")
def new() -> Response:
    """The form for a token to make."""
    return _new()


@needs("admin")
def create() -> Response:
    """Make a token and show its text, this once: a redirect would need a place to keep it."""
    name, scope = request.form.get("name", ""), request.form.get("scope", "")
    try:
        made, text = tokens.create(name, scope)
    except InvalidFields as error:
        return _new(422, errors_of(error))
    audit.note(subject=f"token {made.id}", name=made.name, scope=made.scope)
    return page("token_made.html", 201, title="A new token", token=made, text=text)


@needs("admin")
def revoke(token_id: int) -> Response:
    """End a token, for good."""
    tokens.revoke(token_id)
    return go(url_for("panel.tokens.show_all"), f"Token {token_id} is revoked.")


def _new(status: int = 200, errors: dict[str, str] | None = None) -> Response:
    return page("token_new.html", status, title="Make a token", scopes=SCOPES, errors=errors or {})
