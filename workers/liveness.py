"""That this process turns, told by a file: touched while its threads come round, looked at by workers/alive.py.

Neither Redis nor PostgreSQL is asked: an outage of either must not become a storm of restarts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from redis.retry import Retry

from models.config import settings
from workers.jobs import HARD_DEADLINE_SECONDS

log = structlog.get_logger()

LOOK_SECONDS = 5.0
# Of a thread between two signs of life. It signs before each try at Redis, which takes 20 s at most.
SILENT_SECONDS = 120.0
BUSY_SECONDS = HARD_DEADLINE_SECONDS + 300.0  # with one message: no job may take longer than the deadline
LYING_SECONDS = 60.0  # how long messages may lie before threads that have nothing to do

_signs: dict[int, float] = {}  # thread -> when it was last seen to turn


def sign() -> None:
    """The thread that calls this turns."""
    _signs[threading.get_ident()] = time.monotonic()


def touch(file: Path | None = None) -> None:
    """This process turns. Does nothing where ALIVE_FILE is not set."""
    chosen = file or settings().alive_file
    if chosen is None:
        return
    try:
        chosen.touch()
    except OSError as error:  # the probe will tell that it is not touched
        log.warning("not touched", action="liveness", file=str(chosen), error=error.strerror)


class SigningRetry(Retry):
    """redis-py's retries, each of which shows that its thread does not hang."""

    def call_with_retry(self, do: Callable[[], Any], *arguments: Any, **options: Any) -> Any:
        """Raises what `do` raises, after the last try."""

        def attempt() -> Any:
            sign()
            return do()

        return super().call_with_retry(attempt, *arguments, **options)


class SigningBroker(RedisBroker):
    """Its consumers sign each time they come round, also while they fetch nothing since all threads are busy."""

    @property
    def consumer_class(self) -> type:
        """What `consume` makes."""
        parent: type = super().consumer_class

        class SigningConsumer(parent):
            def __next__(self) -> Any:
                sign()
                return super().__next__()

        return SigningConsumer


class Liveness(dramatiq.Middleware):
    """Touches the file from a thread of its own, as long as all threads of the worker turn."""

    def __init__(
        self,
        file: Path | None = None,
        *,
        look_seconds: float = LOOK_SECONDS,
        silent_seconds: float = SILENT_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
        lying_seconds: float = LYING_SECONDS,
    ) -> None:
        self._file = file
        self._look, self._silent, self._busy = look_seconds, silent_seconds, busy_seconds
        self._lying = lying_seconds
        self._at_work: dict[int, float] = {}  # thread -> since when it has worked on its message
        self._acking: set[int] = set()
        self._taken = 0
        self._seen = (0, 0.0)  # messages taken, and when that number was first seen or threads were all busy
        self._told: str | None = None
        self._ending = threading.Event()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """All threads have been started."""
        if (self._file or settings().alive_file) is None:
            return
        threading.Thread(target=self._run, args=(worker,), name="liveness", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Threads end one after the other now; how long that may take is the grace period's to say."""
        self._ending.set()

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """A thread has taken a message."""
        sign()
        self._taken += 1
        self._at_work[threading.get_ident()] = time.monotonic()

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """It is done with it, and tells Redis."""
        sign()
        self._acking.add(threading.get_ident())
        self._at_work.pop(threading.get_ident(), None)

    after_skip_message = after_process_message

    def before_ack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """It tells Redis, perhaps not for the first time: without Redis dramatiq tries every 5 s."""
        sign()

    before_nack = before_ack

    def after_ack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """It is free."""
        self._acking.discard(threading.get_ident())

    after_nack = after_ack

    def hangs(self, worker: dramatiq.Worker) -> str | None:
        """Which part of the worker doesn't turn; None where all do."""
        now = time.monotonic()
        for queue, consumer in worker.consumers.items():
            if not consumer.is_alive():
                return f"the consumer of {queue} has died"
            if self._silent_for(consumer, now) > self._silent:
                return f"the consumer of {queue} hangs"
        idle = 0
        for thread in worker.workers:
            since = self._at_work.get(thread.ident or 0)
            if not thread.is_alive():
                return "a worker thread has died"
            if since is not None and now - since > self._busy:
                return f"a worker thread has been busy with one message for over {self._busy:.0f} s"
            if thread.ident in self._acking and self._silent_for(thread, now) > self._silent:
                return "a worker thread hangs after its message"
            idle += since is None and thread.ident not in self._acking
        if not (idle and worker.work_queue.qsize()) or self._taken != self._seen[0]:
            self._seen = (self._taken, now)
        if now - self._seen[1] > self._lying:
            return "messages lie before threads that have nothing to do"
        return None

    @staticmethod
    def _silent_for(thread: threading.Thread, now: float) -> float:
        return now - _signs.setdefault(thread.ident or 0, now)

    def _run(self, worker: dramatiq.Worker) -> None:
        self._seen = (self._taken, time.monotonic())
        while True:
            found = None if self._ending.is_set() else self.hangs(worker)
            if found is None:
                touch(self._file)
            elif found != self._told:
                log.error("this worker hangs", action="liveness", what=found)
            self._told = found
            time.sleep(self._look)
