"""API tokens: made once, kept as a hash, checked on every request, revoked for good."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

from models.access import ApiToken
from models.database import execute, row, session
from workers.errors import UnknownRecord
from workers.forms import Form, Name, parse
from workers.principals import Principal

PREFIX = "ist_"  # lets scanners and our own logs recognise a token that leaked
TOKEN_BYTES = 32


class NewToken(Form):
    """A token to make."""

    name: Name
    scope: Literal["read", "sync", "admin"]


def create(name: str, scope: str) -> tuple[ApiToken, str]:
    """Make a token; gives its row and its text, which is never shown again. Raises InvalidFields."""
    form = parse(NewToken, {"name": name, "scope": scope})
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    with session():
        made = ApiToken.insert(name=form.name, scope=form.scope, token_hash=hashed(token)).execute()
        return ApiToken.get_by_id(made), token


def newest(before: int | None, most: int) -> list[ApiToken]:
    """Tokens, the newest first, from the one before this id on."""
    query = ApiToken.select().order_by(ApiToken.id.desc()).limit(most)
    if before is not None:
        query = query.where(ApiToken.id < before)
    with session():
        return list(query)


def check(token: str) -> Principal | None:
    """Whose token this is, or None. Notes its use, at most once a minute."""
    wanted = hashed(token)
    with session():
        found = row(
            "SELECT id, name, scope, token_hash,"
            " coalesce(last_used_at < now() - interval '1 minute', true)"
            " FROM rm_api_tokens WHERE token_hash = %s AND revoked_at IS NULL",
            (wanted,),
        )
        if found is None or not hmac.compare_digest(found[3], wanted):
            return None
        if found[4]:
            execute("UPDATE rm_api_tokens SET last_used_at = now() WHERE id = %s", (found[0],))
    return Principal("token", found[0], found[1], found[2])


def revoke(token_id: int) -> None:
    """End a token; again is no error. Raises UnknownRecord."""
    changed = execute(
        "UPDATE rm_api_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s", (token_id,)
    )
    if not changed:
        raise UnknownRecord("token")


def hashed(token: str) -> str:
    """What is stored of a token. 256 random bits can't be guessed, so a fast hash is right."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
