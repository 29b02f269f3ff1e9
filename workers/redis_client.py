"""Redis for what may be lost: limits, breakers and cached tokens. One pool per process, and quick to give up.

Nothing that matters lives here (the ledger is PostgreSQL's), so every caller knows what to do without it.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from models.config import settings

CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.5
AWAY_SECONDS = 1.0  # after a failure nobody asks again for so long: else each vendor call would wait for it
POOL_SIZE = 64  # connections; a thread of a worker needs one at a time

T = TypeVar("T")
log = structlog.get_logger()


class RedisAwayError(Exception):
    """Redis did not answer, or not as it should."""


def client() -> redis.Redis:
    """This process's client, with text answers. Calls may raise redis.RedisError."""
    return _client(_url())


def attempt(action: Callable[[redis.Redis], T]) -> T:
    """What `action` gives. Raises RedisAwayError, at once within a second of the last failure."""
    url = _url()
    if _away.is_away(url):
        raise RedisAwayError
    try:
        result = action(_client(url))
    except (redis.RedisError, OSError) as error:
        _away.failed(url, error)
        raise RedisAwayError from None
    _away.answered(url)
    return result


def run_script(script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
    """Run a Lua script (by its hash; loaded where the server lost it). Raises RedisAwayError."""
    return attempt(lambda redis_client: Script(redis_client, script)(list(keys), list(arguments)))


def is_healthy() -> bool:
    """True where Redis answers a ping now."""
    try:
        return bool(attempt(lambda redis_client: redis_client.ping()))
    except RedisAwayError:
        return False


def _url() -> str:
    url = settings().redis_url
    assert url is not None  # load() refuses DATABASE_URL without it; embedded mode gives its own
    return url


@functools.cache
def _client(url: str) -> redis.Redis:
    """redis-py's pool notices a fork by itself, so that the cache may be filled before one."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        max_connections=POOL_SIZE,
        # Once more on a connection that the server closed; never after a timeout, when it may have run.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


class _Away:
    """Who failed lately. Says so once per outage, not once per call."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_away(self, url: str) -> bool:
        return time.monotonic() < self._until.get(url, 0.0)

    def failed(self, url: str, error: BaseException) -> None:
        with self._lock:
            first = url not in self._until
            self._until[url] = time.monotonic() + AWAY_SECONDS
        if first:
            log.warning("Redis is away", action="redis.away", error=type(error).__name__)

    def answered(self, url: str) -> None:
        if url in self._until:
            with self._lock:
                self._until.pop(url, None)
            log.info("Redis is back", action="redis.back")


_away = _Away()
