"""What a receiver does while PostgreSQL is away: one delivery asks whether it is back, the others don't wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from peewee import InternalError

from models.database import DatabaseUnavailable

AWAY_SECONDS = 0.5  # between two that ask
# InternalError: what is there only reads (a standby that was not made the primary yet), or can't write.
UNAVAILABLE = (*DatabaseUnavailable, InternalError)


class AwayError(Exception):
    """PostgreSQL did not do what was asked, or was not asked since it failed just now."""


class Outage:
    """Shared by the threads of a process. A server that hangs costs one of them its patience, not all in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away = False
        self._ask_again_at = 0.0

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """For one delivery's dealings with PostgreSQL. Raises AwayError: nothing that it knows of was stored."""
        if self._away and not self._takes_turn():
            raise AwayError
        try:
            yield
        except UNAVAILABLE as error:
            with self._lock:
                self._away, self._ask_again_at = True, time.monotonic() + AWAY_SECONDS
            raise AwayError from error
        except BaseException:
            self._away = False  # a refusal, or a fault of ours
            raise
        self._away = False

    def _takes_turn(self) -> bool:
        with self._lock:
            if time.monotonic() < self._ask_again_at:
                return False
            self._ask_again_at = float("inf")  # until this one knows
            return True
