"""`/api/v1/tokens`: who may use this API."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from api.rest import lists, routes
from api.rest.lists import Answer, ListQuery, Moment, Page
from models.access import ApiToken
from models.database import session
from workers import tokens
from workers.tokens import NewToken


class TokenPath(BaseModel):
    """Which token."""

    token_id: int


class TokenAnswer(Answer):
    """A token, without its text: only a hash of that is kept."""

    id: int
    name: str
    scope: str
    created_at: Moment
    last_used_at: Moment | None = Field(description="To the minute.")
    revoked_at: Moment | None


class MadeToken(TokenAnswer):
    """A new token. `token` is its text, shown this once."""

    token: str


class TokenList(Page):
    """Tokens, oldest first."""

    items: list[TokenAnswer]


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("tokens", "Who may use this API.")
    one = routes.row_path("token_id")
    routes.route(api, "GET", "", scope="admin", answer=TokenList)(list_tokens)
    routes.route(api, "POST", "", scope="admin", answer=MadeToken, status=201)(create)
    routes.route(api, "DELETE", one, scope="admin")(revoke)
    return api


def list_tokens(query: ListQuery) -> TokenList:
    """List the tokens, revoked ones too."""
    after = lists.decode(query.cursor, "tokens", [int])
    chosen = ApiToken.select().order_by(ApiToken.id).limit(query.limit + 1)
    if after:
        chosen = chosen.where(ApiToken.id > after[0])
    with session():
        found, following = lists.page("tokens", list(chosen), query.limit, lambda token: [token.id])
    return TokenList(items=[TokenAnswer.model_validate(token) for token in found], next=following)


def create(body: NewToken) -> MadeToken:
    """Make a token; its text is shown this once."""
    made, text = tokens.create(body.name, body.scope)
    return MadeToken(**TokenAnswer.model_validate(made).model_dump(), token=text)


def revoke(path: TokenPath) -> None:
    """Revoke a token, for good."""
    tokens.revoke(path.token_id)
