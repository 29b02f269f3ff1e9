"""Accepted stock writes land later: 200 says that BigCommerce took a write, not that it shows it."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .store import BigCommerceStore, Owner, Write

SLICES = 8  # parts of a transaction that land apart: a batch is not atomic to who reads it


@dataclass(order=True)
class _Landing:
    due: float
    order: int
    writes: list[Write] = field(compare=False)


class Lander:
    """Lands each accepted write `min_seconds` to `max_seconds` later.

    A write sent after the last one was answered lands after it; of two that overlapped, either may land last.
    """

    def __init__(
        self, store: BigCommerceStore, seed: int, min_seconds: float = 1.0, max_seconds: float = 10.0
    ) -> None:
        self._store = store
        self._random = random.Random(f"{seed}:landing")
        self.min_seconds, self.max_seconds = min_seconds, max_seconds
        self._heap: list[_Landing] = []
        self._order = itertools.count()
        self._last_due: dict[Owner, float] = {}  # of each row, the latest landing decided so far
        self._hurry = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True, name="lander").start()

    def pending(self) -> int:
        with self._changed:
            return sum(len(landing.writes) for landing in self._heap)

    def accept(self, writes: Sequence[Write], overlapped: bool) -> None:
        """Takes the writes of one call; `overlapped` where another stock write was still unanswered."""
        self._store.writes.extend(writes)
        if self.max_seconds <= 0:
            for write in writes:
                self._land(write)
            return
        now = time.monotonic()
        delays = [self._random.uniform(self.min_seconds, self.max_seconds) for _ in range(SLICES)]
        with self._changed:
            slices: dict[float, list[Write]] = {}
            for write in writes:
                due = now + self._random.choice(delays)
                if not overlapped:
                    due = max(
                        due, self._last_due.get(write.owner, 0.0)
                    )  # equal dues land in the order accepted
                self._last_due[write.owner] = max(due, self._last_due.get(write.owner, 0.0))
                slices.setdefault(due, []).append(write)
            for due, landing in slices.items():
                heapq.heappush(self._heap, _Landing(due, next(self._order), landing))
            self._changed.notify()

    def land_all(self) -> None:
        """Lands at once what is pending, in its order."""
        with self._changed:
            self._hurry = bool(self._heap)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._heap or (self._heap[0].due > time.monotonic() and not self._hurry):
                    self._hurry = False
                    timeout = self._heap[0].due - time.monotonic() if self._heap else None
                    self._changed.wait(timeout)
                # Landed before it leaves the heap, so that `pending() == 0` means all has landed.
                for write in self._heap[0].writes:
                    self._land(write)
                heapq.heappop(self._heap)

    def _land(self, write: Write) -> None:
        with self._store.lock:
            write.previous = self._store.set_on_hand(write.owner, write.location_id, write.quantity)
            write.landed_at = time.time()
            write.owner.writes += 1
