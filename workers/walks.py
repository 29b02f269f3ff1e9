"""A page of a large table: along one index, from a key on, and no further than a bounded look.

A filter that no index serves may fit few rows. A page then looks through so many rows at most, gives what it found,
and says where the next one goes on: every page takes about as long as any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.database import rows, session

SCAN_ROWS = 4_000  # of one page: tens of milliseconds, where they lie all over the table


@dataclass(frozen=True, slots=True)
class Walk:
    """A way through a table. All conditions are constant text; what they compare with is in `parameters`.

    where: what the index serves. keep: the rest. key: the columns of the index's order, all one way.
    """

    table: str
    key: Sequence[str]
    where: str = "true"
    keep: str = "true"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Walked:
    """rows: as asked. next: the key after which the next page begins; None: that was the end.

    looked: how many rows were looked through without filling the page; 0 where it is full, or the end.
    """

    rows: list[tuple[Any, ...]]
    next: tuple[Any, ...] | None
    looked: int = 0


def page(
    walk: Walk, columns: str, after: Sequence[Any] | None, most: int, scan_rows: int = SCAN_ROWS
) -> Walked:
    """The next rows of a walk. columns: of `i`, the table's rows. after: the key of the last row given."""
    bound = {**walk.parameters, "walk_most": most + 1, "walk_scan": scan_rows}
    passage = _passage(walk, after, bound)
    order = _order(walk)
    key = ", ".join(f"i.{column}" for column in walk.key)
    with session():
        found = rows(
            f"SELECT {key}, {columns} FROM (SELECT * {passage} LIMIT %(walk_scan)s) i"
            f" WHERE {walk.keep} ORDER BY {order} LIMIT %(walk_most)s",
            bound,
        )
        width = len(walk.key)
        given = [values[width:] for values in found[:most]]
        if len(found) > most:
            return Walked(given, found[most - 1][:width])
        border = None if walk.keep == "true" else _border(passage, key, {**bound, "walk_skip": scan_rows - 1})
    return Walked(given, border, scan_rows if border else 0)


def _border(passage: str, key: str, bound: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The key of the last row that was looked at, where rows follow that were not."""
    found = rows(f"SELECT {key} {passage} OFFSET %(walk_skip)s LIMIT 2", bound)
    return found[0] if len(found) > 1 else None


def _passage(walk: Walk, after: Sequence[Any] | None, bound: dict[str, Any]) -> str:
    where = walk.where
    if after is not None:
        names = [f"walk_after_{number}" for number in range(len(walk.key))]
        bound.update(zip(names, after, strict=True))
        way = "<" if walk.descending else ">"
        given = ", ".join(f"%({name})s" for name in names)
        where = f"{where} AND ({', '.join(f'i.{column}' for column in walk.key)}) {way} ({given})"
    return f"FROM {walk.table} i WHERE {where} ORDER BY {_order(walk)}"


def _order(walk: Walk) -> str:
    return ", ".join(f"i.{column}{' DESC' if walk.descending else ''}" for column in walk.key)


def number(walk: Walk, most: int, scan_rows: int) -> tuple[int, bool]:
    """How many rows there are, up to `most`, among the first `scan_rows`; and whether that is all of them."""
    bound = {**walk.parameters, "walk_most": most + 1, "walk_scan": scan_rows, "walk_skip": scan_rows - 1}
    passage = _passage(walk, None, bound)
    with session():
        found = rows(
            f"SELECT count(*) FROM (SELECT FROM (SELECT * {passage} LIMIT %(walk_scan)s) i"
            f" WHERE {walk.keep} LIMIT %(walk_most)s) kept",
            bound,
        )
        kept = int(found[0][0])
        key = ", ".join(f"i.{column}" for column in walk.key)
        return min(kept, most), kept <= most and _border(passage, key, bound) is None
