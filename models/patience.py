"""A deadline of our own for PostgreSQL's answers: statement_timeout is kept by a server that works.

One that is stopped, or whose disk has come to a standstill, keeps its connections and says nothing. For
processes that must answer in time all the same.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import extensions

from models.database import CONNECT_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_MS

LONGEST_SECONDS = STATEMENT_TIMEOUT_MS / 1000 + 5
"""For one wait of a thread that named no deadline: a server that works gives up earlier by itself."""

_local = threading.local()
_MADE = (extensions.STATUS_READY, extensions.STATUS_BEGIN, extensions.STATUS_PREPARED)
_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}


def bound_all_waits() -> None:
    """From now on this process waits for PostgreSQL no longer than `within` or LONGEST_SECONDS allow.

    What takes longer raises DatabaseUnavailable, and its connection is closed: whether the statement is carried
    out stays open, as with any connection that is lost.
    """
    extensions.set_wait_callback(_wait)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All that this thread asks PostgreSQL for in the block, connecting included, takes so long at most."""
    before = getattr(_local, "deadline", None)
    _local.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _local.deadline = before


def _wait(connection: Any) -> None:
    deadline = getattr(_local, "deadline", None) or time.monotonic() + _longest(connection)
    while (state := connection.poll()) != extensions.POLL_OK:
        left = deadline - time.monotonic()
        if left <= 0 or not _ready(connection.fileno(), _EVENTS[state], left):
            raise psycopg2.OperationalError("PostgreSQL has not answered in time")


def _longest(connection: Any) -> float:
    """Where no deadline was named. Of a connection that is being made libpq leaves its own bound to us."""
    if connection.status in _MADE:
        return LONGEST_SECONDS
    return float(extensions.parse_dsn(connection.dsn).get("connect_timeout") or CONNECT_TIMEOUT_SECONDS)


def _ready(descriptor: int, event: int, seconds: float) -> bool:
    watched = select.poll()  # not select(), which refuses descriptors over 1023
    watched.register(descriptor, event)
    return bool(watched.poll(seconds * 1000))
