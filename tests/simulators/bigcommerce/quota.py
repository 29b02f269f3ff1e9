"""The store's request quota: so many calls a window, told in headers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Quota:
    """Pro: 450 in 30 s; Plus and Standard 150; Enterprise more. All apps of a store share it."""

    requests: int = 450
    window_seconds: float = 30.0
    _started: float = 0.0
    _used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        """Whether this call is within the quota."""
        with self._lock:
            self._roll()
            if self._used >= self.requests:
                return False
            self._used += 1
            return True

    def headers(self) -> dict[str, str]:
        with self._lock:
            self._roll()
            reset = self._started + self.window_seconds - time.monotonic()
            left = self.requests - self._used
        return rate_headers(self.window_seconds, max(0.0, reset), self.requests, left)

    def forget(self) -> None:
        with self._lock:
            self._used = 0

    def _roll(self) -> None:
        now = time.monotonic()
        if now - self._started >= self.window_seconds:
            self._started, self._used = now, 0


def rate_headers(window: float, reset: float, quota: int, left: int) -> dict[str, str]:
    return {
        "X-Rate-Limit-Time-Window-Ms": str(int(window * 1000)),
        "X-Rate-Limit-Time-Reset-Ms": str(int(reset * 1000)),
        "X-Rate-Limit-Requests-Quota": str(quota),
        "X-Rate-Limit-Requests-Left": str(left),
    }
