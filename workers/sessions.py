"""Sessions of the panel: begun at a sign-in, found on every request, ended one by one or all at once."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from models.access import ROLE_SCOPES, User
from models.database import execute, row, rows, session, transaction
from workers.principals import Principal
from workers.tokens import hashed

IDLE_DAYS = 7  # unused for so long: over
LONGEST_DAYS = 30  # however much used: over
TOKEN_BYTES = 32
MOST_SHOWN = 20  # of one person
ALIVE = (
    f"s.last_seen_at > now() - interval '{IDLE_DAYS} days'"
    f" AND s.created_at > now() - interval '{LONGEST_DAYS} days'"
)
"""A session `s` that still counts."""


def begin(user: User, *, address: str, browser: str) -> str:
    """Begin a session; gives the text for the cookie, which is never stored."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction():
        execute(
            "INSERT INTO rm_sessions (token_hash, user_id, address, browser) VALUES (%s, %s, %s, %s)",
            (hashed(token), user.id, address, browser[:200]),
        )
        execute("UPDATE rm_users SET last_signed_in_at = now() WHERE id = %s", (user.id,))
    return token


def find(token: str) -> Principal | None:
    """Whose session this is, or None. Notes its use, at most once a minute."""
    wanted = hashed(token)
    with session():
        found = row(_FIND, (wanted,))
        if found is None or not hmac.compare_digest(found[3], wanted):
            return None
        if found[4]:
            execute("UPDATE rm_sessions SET last_seen_at = now() WHERE token_hash = %s", (wanted,))
    return Principal("user", found[0], found[1], ROLE_SCOPES[found[2]])


_FIND = f"""
    SELECT u.id, u.name, u.role, s.token_hash, s.last_seen_at < now() - interval '1 minute'
    FROM rm_sessions s JOIN rm_users u ON u.id = s.user_id
    WHERE s.token_hash = %s AND u.active AND {ALIVE}
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A browser that is signed in. this: the one that asks."""

    address: str
    browser: str
    created_at: datetime
    last_seen_at: datetime
    this: bool


def of(user_id: int, *, token: str = "") -> list[Opened]:
    """Where a person is signed in now, the last used first, as many as a page holds; token: who asks."""
    return [Opened(*found) for found in rows(_OF, (hashed(token), user_id, MOST_SHOWN))]


_OF = f"""
    SELECT s.address, s.browser, s.created_at, s.last_seen_at, s.token_hash = %s
    FROM rm_sessions s WHERE s.user_id = %s AND {ALIVE}
    ORDER BY s.last_seen_at DESC LIMIT %s
"""


def end(token: str) -> None:
    """End one session; again is no error."""
    execute("DELETE FROM rm_sessions WHERE token_hash = %s", (hashed(token),))


def end_all(user_id: int) -> int:
    """Sign a person out everywhere; gives how many sessions that were."""
    return execute("DELETE FROM rm_sessions WHERE user_id = %s", (user_id,))
