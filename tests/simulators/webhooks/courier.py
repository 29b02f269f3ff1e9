"""The threads that carry webhooks to their receivers, and the record of what they did."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

from .mode import Mode
from .parcels import Delivery, Parcel, Prepared
from .post import NotSentError, post

MAX_CARRIERS = 16  # threads of one shop: some slow receivers hold up a part of them, not the rest
DELIVERIES_KEPT = 20_000  # of the record


class Sender(Protocol):
    """The vendor's side: it writes the request, and decides what an answer means."""

    timeout_seconds: float

    def prepare(self, parcel: Parcel) -> Prepared | None:
        """The request, from what holds now; None where the hook is gone or not active."""
        ...

    def answered(self, parcel: Parcel, delivery: Delivery) -> None:
        """Counts failures, retries; never called for a copy of a delivery."""
        ...


class Courier:
    """Takes parcels without blocking. Its lock is taken last: no vendor's code runs under it."""

    def __init__(self, name: str, sender: Sender, on_error: Callable[[str], None]) -> None:
        self._name, self._sender, self._on_error = name, sender, on_error
        self.mode = Mode()
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Parcel]] = []
        self._order = itertools.count()
        self._folding: dict[object, Parcel] = {}
        self._open: Counter[str] = Counter()  # parcels that wait or are being carried: first, retry
        self._carriers = self._idle = 0
        self._numbers = itertools.count(1)
        self._record: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT)

    # Sending

    def submit(
        self, parcel: Parcel, after: float = 0.0, fold: Callable[[Parcel], None] | None = None
    ) -> None:
        """Sends `after` seconds. Where a parcel of the same key waits, it is folded into that one."""
        with self._changed:
            waiting = self._folding.get(parcel.key) if parcel.key is not None else None
            if waiting is not None:
                if fold is not None:
                    fold(waiting)
                return
            if parcel.key is not None:
                self._folding[parcel.key] = parcel
            if parcel.kind == "event" and parcel.attempt == 1:
                parcel.fate = self.mode.draw()
            self._push(parcel, after)

    def again(self, deliveries: list[Delivery]) -> int:
        """Sends copies, byte for byte, to where they went; says how many."""
        copies = [
            Parcel(d.hook_id, d.topic, d.ids, kind="again", attempt=d.attempt, prepared=d.request)
            for d in deliveries
            if d.request is not None
        ]
        with self._changed:
            for copy in copies:
                self._push(copy, 0.0)
        return len(copies)

    def _push(self, parcel: Parcel, after: float) -> None:
        heapq.heappush(self._heap, (time.monotonic() + after, next(self._order), parcel))
        self._open[_class_of(parcel)] += 1
        self._wake_one()

    def _wake_one(self) -> None:
        """Somebody must watch over what is due next."""
        if self._idle:
            self._changed.notify()
        elif self._carriers < MAX_CARRIERS:
            self._carriers += 1
            name = f"{self._name}-courier-{self._carriers}"
            threading.Thread(target=self._carry_all, daemon=True, name=name).start()

    def _carry_all(self) -> None:
        while True:
            parcel = self._next()
            try:
                self._carry(parcel)
            except Exception:
                self._on_error(traceback.format_exc())
            finally:
                with self._changed:
                    self._open[_class_of(parcel)] -= 1

    def _next(self) -> Parcel:
        with self._changed:
            while True:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    break
                self._idle += 1
                self._changed.wait(wait)
                self._idle -= 1
            parcel = heapq.heappop(self._heap)[2]
            if parcel.key is not None:
                # Before the body is written: what changes from here on makes a parcel of its own.
                self._folding.pop(parcel.key, None)
                parcel.key = None
            if self._heap:
                self._wake_one()
            return parcel

    def _carry(self, parcel: Parcel) -> None:
        if parcel.prepared is None:
            parcel.prepared = self._sender.prepare(parcel)
            if parcel.prepared is None or parcel.fate.dropped:
                self._note(parcel, None, "dropped" if parcel.prepared else "gone", time.time(), 0.0)
                return
            if parcel.fate.held_seconds:
                with self._changed:
                    self._push(parcel, parcel.fate.held_seconds)
                return
        sent_at, started = time.time(), time.monotonic()
        status, error = None, ""
        try:
            status = post(parcel.prepared, self._sender.timeout_seconds)
        except NotSentError as problem:
            error = str(problem)
        delivery = self._note(parcel, status, error, sent_at, time.monotonic() - started)
        if parcel.kind != "again":
            self._sender.answered(parcel, delivery)
        if parcel.fate.duplicated:
            self.again([delivery])

    # The record

    def _note(
        self, parcel: Parcel, status: int | None, error: str, sent_at: float, seconds: float
    ) -> Delivery:
        with self._changed:
            delivery = Delivery(
                number=next(self._numbers),
                hook_id=parcel.hook_id,
                topic=parcel.topic,
                kind=parcel.kind,
                ids=parcel.ids,
                attempt=parcel.attempt,
                status=status,
                error=error,
                seconds=seconds,
                sent_at=sent_at,
                request=parcel.prepared,
            )
            self._record.append(delivery)
            return delivery

    def deliveries(self) -> list[Delivery]:
        """In the order in which they were answered."""
        with self._changed:
            return list(self._record)

    def pending(self) -> dict[str, int]:
        """first: parcels never tried yet; retry: those that wait for another attempt."""
        with self._changed:
            return {"first": self._open["first"], "retry": self._open["retry"]}

    def forget(self) -> None:
        """Drops what waits and the record; what is being carried is still carried."""
        with self._changed:
            for _, _, parcel in self._heap:
                self._open[_class_of(parcel)] -= 1
            self._heap.clear()
            self._folding.clear()
            self._record.clear()
            self.mode = Mode()


def _class_of(parcel: Parcel) -> str:
    return "retry" if parcel.attempt > 1 and parcel.kind != "again" else "first"
