"""BC's limits per user: requests at once, requests queued, requests in a sliding window."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class TooManyRequestsError(Exception):
    """429; its text says what was overspent."""


@dataclass
class Limits:
    """5 at once and 95 queued; 6,000 in five minutes."""

    # `queued: 0` is stricter than BC: a sixth request at once gets its 429 instead of a place in the queue.

    at_once: int = 5
    queued: int = 95
    window_requests: int = 6000
    window_seconds: float = 300.0
    _running: int = 0
    _waiting: int = 0
    _times: deque[float] = field(default_factory=deque)
    _free: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those that run; waits in the queue for it, or raises TooManyRequestsError."""
        with self._free:
            self._count_in_window()
            if self._running >= self.at_once and self._waiting >= self.queued:
                raise TooManyRequestsError("at_once")
            self._waiting += 1
            self._free.wait_for(lambda: self._running < self.at_once)
            self._waiting -= 1
            self._running += 1
        try:
            yield
        finally:
            with self._free:
                self._running -= 1
                self._free.notify()

    def _count_in_window(self) -> None:
        now = time.monotonic()
        while self._times and self._times[0] <= now - self.window_seconds:
            self._times.popleft()
        if len(self._times) >= self.window_requests:
            raise TooManyRequestsError("window")
        self._times.append(now)

    def in_window(self) -> int:
        """How many requests count now."""
        return len(self._times)

    def spend(self, requests: int, seconds_ago: float) -> None:
        """As if so many had been made then."""
        with self._free:
            self._times.extendleft([time.monotonic() - seconds_ago] * requests)

    def forget(self) -> None:
        with self._free:
            self._times.clear()
