"""Who is there: workers, dispatchers and schedulers say so in PostgreSQL, for whoever wonders why nothing happens.

Only people read it (the doctor): no decision hangs on it, leases alone say who holds what.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

import dramatiq
import structlog

from models.database import execute, rows
from workers.jobs import QUEUES

log = structlog.get_logger()

WORKER = "worker"
DISPATCHER = "dispatcher"
SCHEDULER = "scheduler"
ROLES = (WORKER, DISPATCHER, SCHEDULER)
SAY_SECONDS = 10.0
STALLED_SECONDS = 30.0  # a loop that has not come round for so long hangs
SILENT_SECONDS = 60.0  # several words missed: it is gone, or hangs
LEAVE_SECONDS = 2.0  # an end waits for no PostgreSQL
FORGOTTEN_DAYS = 7

# A row that was cleaned up while its process hung comes back.
_SAY = """
    INSERT INTO rm_processes AS p (id, role, queues, host, pid, version, threads)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET seen_at = now()
"""
_LEAVE = "DELETE FROM rm_processes WHERE id = %s OR seen_at < now() - make_interval(days => %s)"


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that has said that it is there. threads: jobs that it does at once. seconds: since its last word."""

    role: str
    queues: Sequence[str]
    host: str
    pid: int
    version: str
    threads: int | None
    seen_at: datetime
    seconds: float

    @property
    def alive(self) -> bool:
        """False where it has been silent for too long."""
        return self.seconds < SILENT_SECONDS


def seen() -> list[Seen]:
    """All that were there within the last days and did not say that they leave, the last seen first."""
    return [
        Seen(*found)
        for found in rows(
            "SELECT role, queues, host, pid, version, threads, seen_at,"
            " extract(epoch FROM now() - seen_at)::double precision FROM rm_processes ORDER BY seen_at DESC"
        )
    ]


def own_version() -> str:
    """The version of this code."""
    try:
        return version("inventory-sync")
    except PackageNotFoundError:
        return "unknown"


class Presence:
    """This process's word, said by a thread of its own, so that a PostgreSQL that hangs holds nothing up."""

    def __init__(self, role: str, queues: Sequence[str] = (), threads: int | None = None) -> None:
        self._row = (
            str(uuid.uuid4()),
            role,
            json.dumps(sorted(queues)),
            socket.gethostname(),
            os.getpid(),
            own_version(),
            threads,
        )
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._moved_at: float | None = None
        self._heard = True

    def begin(self) -> None:
        """Say from now on, every few seconds, that this process is there."""
        self._thread.start()

    def moved(self) -> None:
        """Its loop has come round. Whoever tells this once has to go on: else it is there, but hangs."""
        self._moved_at = time.monotonic()

    def leave(self) -> None:
        """Say that this process ends: nobody has to wonder where it is."""
        self._leaving.set()
        self._thread.join(LEAVE_SECONDS)

    def _run(self) -> None:
        self._say(_SAY, self._row)
        while not self._leaving.wait(SAY_SECONDS):
            if self._moved_at is None or time.monotonic() - self._moved_at < STALLED_SECONDS:
                self._say(_SAY, self._row)
        self._say(_LEAVE, (self._row[0], FORGOTTEN_DAYS))

    def _say(self, statement: str, parameters: tuple[object, ...]) -> None:
        try:
            execute(statement, parameters)
            self._heard = True
        except Exception as error:  # to be unheard is no reason to stop working; the next word may be heard
            if self._heard:
                log.warning("not heard", action="presence", error=str(error).strip())
            self._heard = False


class WorkersArePresent(dramatiq.Middleware):
    """Dramatiq's own hooks: a worker is there from its boot to its shutdown, for the queues that it was given."""

    def __init__(self) -> None:
        self._presence: Presence | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """The process is ready for action."""
        self._presence = Presence(WORKER, sorted(worker.consumer_whitelist or QUEUES), worker.worker_threads)
        self._presence.begin()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """It takes no more jobs."""
        if self._presence is not None:
            self._presence.leave()
