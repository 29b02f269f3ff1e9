"""What one process knows of a limit by itself.

While Redis is away the fleet can't be counted: each process takes half. When Redis has forgotten what it held,
each tells it again which calls it made.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from workers.errors import MustWait

SHORT_WAIT = 1.0  # seconds, where all places are taken


class LocalBound:
    """So many calls at once, and so many (`quota` 0: any number) in a sliding window of `window` seconds."""

    def __init__(self, at_once: int, quota: int, window: float) -> None:
        self._at_once, self._quota, self.window = at_once, quota, window
        self._running = 0
        self._paused_until = 0.0
        self._calls: deque[float] = deque()
        self._made: deque[tuple[float, str]] = deque()  # by way of Redis: when, and the place that it took
        self._lock = threading.Lock()

    def made(self, owner: str) -> None:
        """A call was let pass by Redis."""
        with self._lock:
            self._made.append((time.monotonic(), owner))
            self._trim()

    def remembered(self) -> list[tuple[float, str]]:
        """The calls by way of Redis within a window: how many seconds ago each, and the place that it took."""
        with self._lock:
            self._trim()
            now = time.monotonic()
            return [(now - at, owner) for at, owner in self._made]

    @contextmanager
    def place(self, reason: str) -> Iterator[None]:
        """Hold a place. Raises MustWait where none is free."""
        with self._lock:
            self._check(reason)
            self._running += 1
            self._calls.append(time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def pause(self, seconds: float) -> None:
        """Give no place for so long."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def used_lately(self) -> int:
        """Calls within a window that went past Redis: its record is short of them."""
        with self._lock:
            self._trim()
            return len(self._calls)

    def forget(self) -> None:
        """The shared record has been told to doubt itself."""
        with self._lock:
            self._calls.clear()

    def _check(self, reason: str) -> None:
        self._trim()
        if (paused := self._paused_until - time.monotonic()) > 0:
            raise MustWait(paused, reason)
        if self._running >= self._at_once:
            raise MustWait(SHORT_WAIT, reason)
        if self._quota and len(self._calls) >= self._quota:
            raise MustWait(self._calls[0] + self.window - time.monotonic(), reason)

    def _trim(self) -> None:
        oldest = time.monotonic() - self.window
        while self._calls and self._calls[0] <= oldest:
            self._calls.popleft()
        while self._made and self._made[0][0] <= oldest:
            self._made.popleft()
