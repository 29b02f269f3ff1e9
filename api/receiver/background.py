"""What a receiver does off the request's path: hints, counts of rejections, debts. One thread a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from peewee import PeeweeException

from models.database import DatabaseUnavailable
from models.patience import within
from workers.hints import hint_due
from workers.jobs import WEBHOOKS
from workers.webhooks.catch_up import Debts
from workers.webhooks.rejections import Rejections

log = structlog.get_logger()

HINTS_AT_ONCE = 32
GATHER_SECONDS = 0.1  # deliveries of a burst share one look at the ledger; the first one never waits
CHORES_SECONDS = 1.0
ENDING_SECONDS = 4.0  # for what the thread is at, and again for the last chores; gunicorn waits 20


class Background:
    """Woken by each delivery; starts with the first one, so that gunicorn may fork before."""

    def __init__(self, debts: Debts, rejections: Rejections) -> None:
        self._chores: tuple[Callable[[], object], ...] = (debts.settle, rejections.flush)
        self._event = threading.Event()
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._hint = False

    def wake(self, *, hint: bool) -> None:
        """There is something to do; `hint`: a job may wait for a worker."""
        if hint:
            with self._lock:
                self._hint = True
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)
                    self._thread.start()
        self._event.set()

    def end(self) -> None:
        """End the thread and do its chores a last time: what was only counted is stored before the process goes."""
        self._ending.set()
        self._event.set()
        if self._thread is not None:
            self._thread.join(ENDING_SECONDS)
        with within(ENDING_SECONDS):
            self._do_chores()

    def _run(self) -> None:
        chores_at = 0.0
        while not self._ending.is_set():
            self._event.wait(CHORES_SECONDS)
            self._event.clear()
            with self._lock:
                hint, self._hint = self._hint, False
            if hint:
                self._try(_hint_all)
                time.sleep(GATHER_SECONDS)
            if time.monotonic() >= chores_at:
                self._do_chores()
                chores_at = time.monotonic() + CHORES_SECONDS

    def _do_chores(self) -> None:
        for chore in self._chores:
            self._try(chore)

    @staticmethod
    def _try(chore: Callable[[], object]) -> None:
        try:
            chore()
        except (*DatabaseUnavailable, PeeweeException, ValueError) as error:
            log.warning("a receiver's chore must wait", action="background", error=type(error).__name__)


def _hint_all() -> None:
    while hint_due(WEBHOOKS, HINTS_AT_ONCE) == HINTS_AT_ONCE:
        pass
