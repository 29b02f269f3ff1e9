"""Pages of items and entries: rows that match, from a position on, at most a page of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from .odata import Query
from .store import BusinessCentralStore, Entry, Item, render_entry, render_item

Page = tuple[
    bytes, int | None, str | None
]  # the rows, how many match in all (where asked), the next $skiptoken

_READ_ITEM: dict[str, Callable[[Item], Any]] = {
    "id": lambda item: item.id,
    "number": lambda item: item.number,
    "displayName": lambda item: item.display_name,
    "type": lambda item: item.type,
    "blocked": lambda item: item.blocked,
    "lastModifiedDateTime": lambda item: item.modified,
}
_READ_ENTRY: dict[str, Callable[[Entry], Any]] = {
    "entryNumber": lambda entry: Decimal(entry.entry_number),
    "itemNumber": lambda entry: entry.item_number,
    "lastModifiedDateTime": lambda entry: entry.modified,
    "postingDate": lambda entry: entry.modified[:10],
}


def items_page(store: BusinessCentralStore, query: Query, size: int) -> Page:
    """Items sorted by id (not by number: a client must not count on either)."""
    with store.lock:
        matching, rest = _candidates(store, query)
        test = _test(rest, _READ_ITEM)
        count = sum(1 for item in _from_start(store, query) if test(item)) if query.count else None
        taken, token = _take(matching, test, query, size, lambda item: item.id)
        return b",".join([render_item(item, query.select) for item in taken]), count, token


def count_items(store: BusinessCentralStore, query: Query) -> int:
    with store.lock:
        matching, rest = _candidates(store, query)
        test = _test(rest, _READ_ITEM)
        return sum(1 for item in matching if test(item))


def entries_page(store: BusinessCentralStore, query: Query, size: int) -> Page:
    """Committed entries by entry number. One committed later may have a lower number than one seen before."""
    with store.lock:
        last = int(query.skiptoken) if query.skiptoken else None
        entries = list(reversed(store.entries)) if query.descending else store.entries
        test = _test(query.clauses, _READ_ENTRY)
        count = sum(1 for entry in entries if test(entry)) if query.count else None
        if last is not None:
            entries = [
                e for e in entries if (e.entry_number < last if query.descending else e.entry_number > last)
            ]
        taken, token = _take(entries, test, query, size, lambda entry: str(entry.entry_number))
        return b",".join([render_entry(entry, query.select) for entry in taken]), count, token


def simple_page(rows: list[dict[str, str]]) -> bytes:
    return b",".join(json.dumps(row).encode() for row in rows)


def _from_start(store: BusinessCentralStore, query: Query) -> Iterable[Item]:
    unpaged = Query(clauses=query.clauses)
    return _candidates(store, unpaged)[0]


def _candidates(store: BusinessCentralStore, query: Query) -> tuple[Iterable[Item], list[Any]]:
    """Items named by number, else all from the skiptoken on; and the clauses that are still to be tested."""
    for clause in query.clauses:
        keys = clause.keys()
        if clause.field == "number" and keys is not None:
            found = [store.by_number[key] for key in keys if key in store.by_number]
            found.sort(key=lambda item: item.id)
            if query.skiptoken:
                found = [item for item in found if item.id > query.skiptoken]
            return found, [other for other in query.clauses if other is not clause]
    start = store.after(query.skiptoken) if query.skiptoken else 0
    return store.items[start:] if start else store.items, query.clauses


def _test(clauses: list[Any], readers: dict[str, Callable[[Any], Any]]) -> Callable[[Any], bool]:
    predicates = [clause.predicate(readers.get(clause.field, lambda row: None)) for clause in clauses]
    if not predicates:
        return lambda row: True
    if len(predicates) == 1:
        return predicates[0]
    return lambda row: all(predicate(row) for predicate in predicates)


def _take(
    rows: Iterable[Any], test: Callable[[Any], bool], query: Query, size: int, token_of: Callable[[Any], str]
) -> tuple[list[Any], str | None]:
    """Up to a page of what passes; a token where more would follow. `$top` ends the answer for good."""
    taken: list[Any] = []
    to_skip = query.skip if query.skiptoken is None else 0
    limit = size if query.top is None else min(size, query.top)
    for row in rows:
        if not test(row):
            continue
        if to_skip:
            to_skip -= 1
            continue
        if len(taken) == limit:
            more = query.top is None or query.top > limit
            return taken, token_of(taken[-1]) if more and taken else None
        taken.append(row)
    return taken, None
