"""Business Central's JSON as typed rows. A row that is not as documented is a BadAnswer, never a 0."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeGuard

from workers.clients.answers import Answer
from workers.sku import storable

ITEM_FIELDS = "number,displayName,type,blocked,inventory"
ENTRY_FIELDS = "entryNumber,itemNumber"
LARGEST_QUANTITY = Decimal(10) ** 15  # far beyond BC's own bound
MOST_DECIMALS = 20  # BC keeps 5

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class BcItem:
    """An item. `quantity` is on hand over all locations and variants: up to 5 decimals, may be negative.

    type: Inventory, Service or Non-Inventory; the last two read 0 whatever is in stock.
    """

    number: str
    quantity: Decimal
    type: str
    blocked: bool
    name: str


@dataclass(frozen=True, slots=True)
class BcPage:
    """A page of items. `total`: of all pages, on a scan's first page only."""

    items: tuple[BcItem, ...]
    next_link: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class BcEntry:
    """An item ledger entry: this item's stock moved. Entries may commit out of order and leave gaps."""

    entry_number: int
    item_number: str


@dataclass(frozen=True, slots=True)
class BcEntries:
    """A page of ledger entries, by entry number."""

    entries: tuple[BcEntry, ...]
    next_link: str | None


@dataclass(frozen=True, slots=True)
class BcCompany:
    """A company of the environment."""

    id: str
    name: str


def items_page(answer: Answer) -> BcPage:
    """A page of items. Raises BadAnswer: a broken row, or the same number twice."""
    body = _body(answer)
    items = tuple(_item(row, answer) for row in body["value"])
    if len({item.number for item in items}) != len(items):
        raise answer.bad("the same item number twice in one page", "duplicate_key")
    total = body.get("@odata.count")
    return BcPage(items, _next_link(body, answer), total if _is_int(total) else None)


def entries_page(answer: Answer) -> BcEntries:
    """A page of item ledger entries. Raises BadAnswer."""
    body = _body(answer)
    entries = tuple(_entry(row, answer) for row in body["value"])
    if len({entry.entry_number for entry in entries}) != len(entries):
        raise answer.bad("the same entry number twice in one page", "duplicate_key")
    return BcEntries(entries, _next_link(body, answer))


def companies(answer: Answer) -> list[BcCompany]:
    """The companies that the app may see. Raises BadAnswer."""
    rows = _body(answer)["value"]
    return [BcCompany(_text(row, "id", answer), _text(row, "name", answer)) for row in rows]


def unescape(name: str) -> str:
    """The name of an enum's value: BC writes `Non-Inventory` as `Non_x002D_Inventory`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), name)


def _body(answer: Answer) -> dict[str, Any]:
    body = answer.json(decimals=True)
    if not isinstance(body, dict) or not isinstance(body.get("value"), list):
        raise answer.bad("the answer has no list of rows", "unexpected_shape")
    return body


def _next_link(body: dict[str, Any], answer: Answer) -> str | None:
    link = body.get("@odata.nextLink")
    if link is None:
        return None
    if not isinstance(link, str) or not link:
        raise answer.bad("the link to the next page is not a URL", "unexpected_shape")
    return link


def _item(row: Any, answer: Answer) -> BcItem:
    quantity = _quantity(row.get("inventory") if isinstance(row, dict) else None)
    if quantity is None:
        raise answer.bad("an item without a numeric inventory", "unexpected_shape")
    blocked = row.get("blocked")
    if not isinstance(blocked, bool):
        raise answer.bad("an item without `blocked`", "unexpected_shape")
    name = row.get("displayName")
    name = storable(name) if isinstance(name, str) else ""
    kind = unescape(_text(row, "type", answer))
    return BcItem(_text(row, "number", answer), quantity, kind, blocked, name)


def _quantity(value: Any) -> Decimal | None:
    """The number, or None where BC can't mean it: 1e999999 would cost gigabytes to round down."""
    if _is_int(value):
        value = Decimal(value)
    if not isinstance(value, Decimal) or value.copy_abs() > LARGEST_QUANTITY:
        return None
    exponent = value.as_tuple().exponent
    return value if isinstance(exponent, int) and exponent >= -MOST_DECIMALS else None


def _entry(row: Any, answer: Answer) -> BcEntry:
    number = row.get("entryNumber") if isinstance(row, dict) else None
    if not _is_int(number):
        raise answer.bad("a ledger entry without a number", "unexpected_shape")
    item = row.get("itemNumber")
    if not isinstance(item, str):  # may be empty: an entry without an item moves no stock of ours
        raise answer.bad("a ledger entry without an item number", "unexpected_shape")
    return BcEntry(number, item)


def _text(row: Any, name: str, answer: Answer) -> str:
    value = row.get(name) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value or storable(value) != value:
        raise answer.bad(f"a row without a valid `{name}`", "unexpected_shape")
    return value


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
