"""Access tokens for Business Central: OAuth 2.0 client credentials, one token for all worker processes.

A token lives about an hour. It is kept in this process and, encrypted, in Redis; who finds none fetches it
while the others wait. Without Redis each process fetches its own.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from models.crypto import UndecryptableError, decrypt, encrypt
from workers.clients.answers import Answer
from workers.clients.http import Transport
from workers.errors import AuthenticationRefused, RemoteError
from workers.redis_client import RedisAwayError, attempt, run_script

SCOPE = "https://api.businesscentral.dynamics.com/.default"
MARGIN_SECONDS = (
    300.0  # a token is given up so long before its end, or at a tenth of its life if that is less
)
UNSTATED_LIFE = 60.0  # seconds, where the answer names none
LOCK_MS = 10_000  # longer than a fetch takes; a killed fetcher holds the others up no longer
POLL_SECONDS = 0.05
POLL_LIMIT = 5.0  # seconds; then whoever waits fetches a token of its own

# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
REASONS = {
    7000215: ("client_secret", "the client secret is wrong (give its value, not its id)"),
    7000222: ("client_secret", "the client secret has expired: make a new one in the app registration"),
    700016: ("client_id", "there is no app with this client id in the tenant"),
    7000112: ("client_id", "the app is disabled"),
    90002: ("tenant_id", "there is no such tenant"),
    900023: ("tenant_id", "this is neither a tenant's id nor its domain"),
    500011: ("tenant_id", "the tenant does not have Business Central"),
}

_DELETE_IF_SAME = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class TokenTransport(Transport):
    """Calls to a token endpoint."""

    def explain(self, answer: Answer) -> tuple[str | None, str] | None:
        body = answer.json()
        number = aadsts(body)
        if number in REASONS:
            return f"AADSTS{number}", REASONS[number][1]
        description = str(body.get("error_description", "")).splitlines()[:1]
        return f"AADSTS{number}" if number else str(body["error"]), description[0] if description else ""

    def error_for(self, answer: Answer) -> RemoteError:
        """400 and 401 name what a person has to correct: no retry helps."""
        error = super().error_for(answer)
        if answer.status in (400, 401) and error.code != "temporarily_unavailable":
            return AuthenticationRefused(str(error), status=answer.status, code=error.code)
        return error


def aadsts(body: Any) -> int | None:
    """Microsoft's number of an error, as in AADSTS7000215."""
    codes = body.get("error_codes") if isinstance(body, dict) else None
    return codes[0] if isinstance(codes, list) and codes and isinstance(codes[0], int) else None


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    good_until: float  # time.monotonic()

    @property
    def good(self) -> bool:
        return time.monotonic() < self.good_until


_tokens: dict[str, _Token] = {}  # of this process, whichever client fetched them
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class TokenSource:
    """The tokens of one app registration at one token URL."""

    def __init__(self, transport: TokenTransport, token_url: str, client_id: str, client_secret: str) -> None:
        self._transport = transport
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": SCOPE,
        }
        # With the secret, so that a changed one is tried at once and not when the old token ends.
        parts = "\0".join([token_url, client_id, SCOPE, client_secret])
        self._key = f"inventory-sync:token:{hashlib.sha256(parts.encode()).hexdigest()}"

    def get(self) -> str:
        """A token that is good for some minutes yet. Raises AuthenticationRefused, and what calls raise."""
        token = _tokens.get(self._key)
        if token is None or not token.good:
            with _locks[self._key]:
                token = _tokens.get(self._key)
                if token is None or not token.good:
                    token = self._stored() or self._fetch_alone()
                    _tokens[self._key] = token
        return token.text

    def drop(self, text: str) -> None:
        """This token was refused: forget it here and in Redis, but not one fetched by others since."""
        with _locks[self._key]:
            token = _tokens.get(self._key)
            if token is not None and token.text == text:
                del _tokens[self._key]
            with suppress(RedisAwayError):
                stored = attempt(lambda client: client.get(self._key))
                if isinstance(stored, str) and _plain(stored) in (text, None):
                    run_script(_DELETE_IF_SAME, [self._key], [stored])

    def fetch(self) -> str:
        """A new token, whatever is stored: shows whether the credentials work now."""
        with _locks[self._key]:
            _tokens[self._key] = self._fetch()
            return _tokens[self._key].text

    def _fetch_alone(self) -> _Token:
        """Fetch, while other processes wait for what comes back. Redis away: each for itself."""
        owner = uuid.uuid4().hex
        lock = f"{self._key}:lock"
        give_up = time.monotonic() + POLL_LIMIT
        try:
            while not attempt(lambda client: client.set(lock, owner, nx=True, px=LOCK_MS)):
                if time.monotonic() > give_up:
                    break
                time.sleep(POLL_SECONDS)
                if stored := self._stored():
                    return stored
        except RedisAwayError:
            return self._fetch()
        try:
            return self._stored() or self._fetch()  # stored by whoever held the lock before us
        finally:
            with suppress(RedisAwayError):
                run_script(_DELETE_IF_SAME, [lock], [owner])

    def _stored(self) -> _Token | None:
        try:
            stored, left = attempt(lambda client: (client.get(self._key), client.pttl(self._key)))
        except RedisAwayError:
            return None
        text = _plain(stored) if isinstance(stored, str) else None
        if text is None or not isinstance(left, int) or left <= 0:
            return None
        return _Token(text, time.monotonic() + left / 1000)

    def _fetch(self) -> _Token:
        started = time.monotonic()
        answer = self._transport.request("POST", "", route="token", data=self._form)
        text, life = _granted(answer)
        good = life - min(MARGIN_SECONDS, life / 10)
        with suppress(RedisAwayError):
            secret = encrypt(text)
            attempt(lambda client: client.set(self._key, secret, px=max(1, round(good * 1000))))
        return _Token(text, started + good)


def _granted(answer: Answer) -> tuple[str, float]:
    """The token and its life in seconds. Raises BadAnswer."""
    body = answer.json()
    text = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text or not text:
        raise answer.bad("the answer holds no access token", "unexpected_shape")
    try:
        return text, max(float(body["expires_in"]), 1.0)
    except (KeyError, TypeError, ValueError):
        return text, UNSTATED_LIFE


def _plain(stored: str) -> str | None:
    """The stored token, or None where it was encrypted with a key that is gone."""
    try:
        return decrypt(stored)
    except UndecryptableError:
        return None
