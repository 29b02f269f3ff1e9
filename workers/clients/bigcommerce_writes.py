"""Stock writes to BigCommerce: one call for up to 2,000 rows, and the bad ones found when it is refused.

`PUT /inventory/adjustments/absolute` answers 422 for the whole batch when one row is wrong, and 200 says
only that the batch was accepted. There is no answer per row, so bad rows are found by sending less.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from workers.clients.shop import ItemRef, StockWrite, Tracking, Verdict, WriteResult
from workers.clients.writes import sendable, stopped
from workers.errors import InventorySyncError

BATCH_ROWS = 2_000  # most items of one absolute adjustment (vendor's docs)
MOST_CALLS = 1_000  # a batch with dozens of bad rows that no message names stays below; then it gives up
FRUITLESS_CALLS = 100  # refusals without one acceptance: the fault is not in the rows

_NAMED_ID = re.compile(r"\b(variant|product)[_ ]?ids?\b[\s:=#\[(]*(\d+(?:\s*,\s*\d+)*)", re.IGNORECASE)

Send = Callable[[Sequence[StockWrite]], str | None]
"""Sends rows in one call: None = accepted, a text = 422 with what the vendor says. Raises all else."""


def batches(writes: Sequence[StockWrite]) -> list[list[StockWrite]]:
    """Every row once, in order, in groups that one call can carry."""
    return [list(group) for group in _groups(writes, BATCH_ROWS)]


def identity(write: StockWrite) -> dict[str, int]:
    """How the vendor wants this row addressed: by whoever holds its stock."""
    if write.tracking is Tracking.VARIANT:
        return {"variant_id": write.ref.variant_id}
    return {"product_id": write.ref.product_id}


def write_rows(rows: Sequence[StockWrite], send: Send) -> list[WriteResult]:
    """Send the rows, largest group first, until each is accepted or refused alone.

    Raises what `send` raises; as PartialWrite once anything is decided.
    """
    return _Isolation(rows, send).run()


@dataclass
class _Isolation:
    rows: Sequence[StockWrite]
    send: Send
    results: list[WriteResult] = field(default_factory=list)
    calls: int = 0
    fruitless: int = 0
    accepted: bool = False
    waiting: list[tuple[int, int, list[StockWrite]]] = field(default_factory=list)
    order: Iterator[int] = field(default_factory=itertools.count)

    def run(self) -> list[WriteResult]:
        rows, self.results = sendable(self.rows)
        self._wait(rows)
        text = ""
        while self.waiting:
            group = heapq.heappop(self.waiting)[2]
            if self.calls >= MOST_CALLS or (self.fruitless >= FRUITLESS_CALLS and not self.accepted):
                self.results.extend(_refused(row, text, together=True) for row in group)
            else:
                text = self._try(group) or text
        return self.results

    def _try(self, group: list[StockWrite]) -> str | None:
        self.calls += 1
        try:
            text = self.send(group)
        except InventorySyncError as error:
            raise stopped(self.rows, self.results, group, error) from error
        if text is None:
            self.accepted = True
            self.results.extend(WriteResult(row.ref, Verdict.ACCEPTED) for row in group)
        elif len(group) == 1:
            self.results.append(_refused(group[0], text))
        else:
            self.fruitless += 1
            for part in split(group, text):
                self._wait(part)
        return text

    def _wait(self, group: list[StockWrite]) -> None:
        """Large groups first: should the calls run out, the most rows have been decided."""
        if group:
            heapq.heappush(self.waiting, (-len(group), next(self.order), group))


def split(group: Sequence[StockWrite], text: str) -> list[list[StockWrite]]:
    """Smaller groups to try: the rows that the refusal names alone and the rest together, else two halves.

    The text decides only what is tried next; a row counts as refused when it was refused alone.
    """
    named = _named(group, text)
    if named and len(named) < len(group):
        rest = [row for row in group if row.ref not in named]
        return [rest, *([row] for row in group if row.ref in named)]
    middle = len(group) // 2
    return [list(group[:middle]), list(group[middle:])]


def _named(group: Sequence[StockWrite], text: str) -> set[ItemRef]:
    numbers: dict[str, set[int]] = {"variant": set(), "product": set()}
    for kind, ids in _NAMED_ID.findall(text):
        numbers[kind.lower()].update(int(number) for number in ids.split(","))
    return {
        row.ref
        for row in group
        if (row.tracking is Tracking.VARIANT and row.ref.variant_id in numbers["variant"])
        or (row.tracking is Tracking.PRODUCT and row.ref.product_id in numbers["product"])
    }


def _refused(row: StockWrite, text: str, *, together: bool = False) -> WriteResult:
    if together:
        text = f"refused together with other rows, not tried alone: {text}"
        return WriteResult(row.ref, Verdict.REFUSED, reason="refused", message=text[:300])
    return WriteResult(row.ref, Verdict.REFUSED, reason=reason_of(text), message=text[:300])


def reason_of(text: str) -> str:
    """A short code for a row's refusal; the vendor documents only the text of the first."""
    lowered = text.lower()
    if "tracked by product" in lowered:
        return "tracked_by_product"
    if "tracked by variant" in lowered:
        return "tracked_by_variant"
    if "not tracked" in lowered:
        return "untracked"
    if any(words in lowered for words in ("not found", "not exist", "unknown", "no such", "invalid sku")):
        return "unknown_item"
    return "refused"


def _groups(writes: Sequence[StockWrite], size: int) -> Iterator[Sequence[StockWrite]]:
    for start in range(0, len(writes), size):
        yield writes[start : start + size]
