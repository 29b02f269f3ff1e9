"""What a simulator has seen: calls and statuses by route, contract violations, refusals, peaks."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .wire import Request

REQUESTS_KEPT = 5_000  # of the request log; a 100,000-SKU sync makes about a thousand
EXAMPLES_KEPT = 20  # per violation, enough to see what went wrong
REQUESTS = "requests"  # the peak of requests that were worked on at once


class Counters:
    """Thread-safe. A violation is what a client could have known; a refusal depends on the shop's state."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()  # what is under way stays so over a reset
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self.calls: Counter[str] = Counter()
            self.statuses: dict[str, Counter[str]] = {}
            self.violations: Counter[str] = Counter()
            self.examples: dict[str, list[str]] = {}
            self.refusals: Counter[str] = Counter()
            self.faults: Counter[str] = Counter()
            self.peaks: Counter[str] = Counter()
            self.requests: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)
            self.errors: list[str] = []

    def call(self, route: str) -> int:
        """Counts a call and says the how-manieth it is."""
        with self._lock:
            self.calls[route] += 1
            return self.calls[route]

    def answered(self, route: str, request: Request, status: int | str) -> None:
        with self._lock:
            self.statuses.setdefault(route, Counter())[str(status)] += 1
            self.requests.append(
                {
                    "at": round(request.received_at, 4),
                    "seconds": round(time.time() - request.received_at, 4),
                    "route": route,
                    "target": request.target[:500],
                    "status": status,
                }
            )

    def violation(self, name: str, detail: str = "") -> None:
        with self._lock:
            self.violations[name] += 1
            examples = self.examples.setdefault(name, [])
            if len(examples) < EXAMPLES_KEPT:
                examples.append(detail[:300])

    def refusal(self, name: str) -> None:
        with self._lock:
            self.refusals[name] += 1

    def fault(self, kind: str) -> None:
        with self._lock:
            self.faults[kind] += 1

    def peak(self, name: str, value: int) -> None:
        """Keeps the highest value."""
        with self._lock:
            self.peaks[name] = max(self.peaks[name], value)

    def error(self, text: str) -> None:
        """An error of the simulator itself: tests should find none."""
        with self._lock:
            self.errors.append(text)

    @contextmanager
    def under_way(self, name: str) -> Iterator[int]:
        """Counts how many are under way at once, this one included, and keeps the highest."""
        with self._lock:
            self._under_way[name] += 1
            count = self._under_way[name]
            self.peaks[name] = max(self.peaks[name], count)
        try:
            yield count
        finally:
            with self._lock:
                self._under_way[name] -= 1

    def now(self, name: str) -> int:
        """How many are under way."""
        with self._lock:
            return self._under_way[name]

    def snapshot(self) -> dict[str, Any]:
        with self._lock:
            return {
                "calls": dict(self.calls),
                "statuses": {route: dict(statuses) for route, statuses in self.statuses.items()},
                "violations": dict(self.violations),
                "examples": {name: list(texts) for name, texts in self.examples.items()},
                "refusals": dict(self.refusals),
                "faults": dict(self.faults),
                "peaks": dict(self.peaks),
                "errors": list(self.errors),
            }

    def request_log(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self.requests)
