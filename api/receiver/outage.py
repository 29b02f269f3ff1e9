"""What a receiver does while PostgreSQL is away: one delivery asks whether it is back, the others don't wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from api import database_trouble
from models.database import DatabaseUnusable

AWAY_SECONDS = 0.5  # between two that ask

log = structlog.get_logger()


class AwayError(Exception):
    """PostgreSQL did not do what was asked, or was not asked since it failed just now.

    code, detail: for the answer.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Outage:
    """Shared by the threads of a process. A server that hangs costs one of them its patience, not all in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away: tuple[str, str] | None = None  # code and detail
        self._ask_again_at = 0.0

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """For one delivery's dealings with PostgreSQL. Raises AwayError: nothing that it knows of was stored."""
        if (away := self._away) is not None and not self._takes_turn():
            raise AwayError(*away)
        try:
            yield
        except DatabaseUnusable as error:
            raise AwayError(*self._failed(error)) from error
        except BaseException:
            self._answered()  # a refusal, or a fault of ours
            raise
        self._answered()

    def _failed(self, error: BaseException) -> tuple[str, str]:
        trouble = database_trouble.told(error)
        with self._lock:
            before, self._away = self._away, trouble
            self._ask_again_at = time.monotonic() + AWAY_SECONDS
        if before != trouble:
            log.warning("deliveries are turned away", action="outage", code=trouble[0], detail=trouble[1])
        return trouble

    def _answered(self) -> None:
        if self._away is not None:
            self._away = None
            log.info("deliveries are taken again", action="outage")

    def _takes_turn(self) -> bool:
        with self._lock:
            if time.monotonic() < self._ask_again_at:
                return False
            self._ask_again_at = float("inf")  # until this one knows
            return True
