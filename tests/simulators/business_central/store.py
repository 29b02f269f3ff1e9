"""What BC holds: items and their ledger, with each item's JSON kept until the item changes."""

from __future__ import annotations

import json
import random
import threading
import uuid
from bisect import bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..catalogue import ItemSeed


@dataclass(slots=True, eq=False)
class Item:
    """An item; `rendered` keeps its JSON by `$select`."""

    id: str
    number: str
    display_name: str
    type: str
    blocked: bool
    inventory: Decimal
    modified: str
    rendered: dict[tuple[str, ...], bytes] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Entry:
    """An item ledger entry."""

    entry_number: int
    item_number: str
    quantity: Decimal
    modified: str


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _number(value: Decimal) -> str:
    """A JSON number without an exponent, as BC writes decimals."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


ITEM_FIELDS: dict[str, Callable[[Item], str]] = {
    "id": lambda item: f'"{item.id}"',
    "number": lambda item: json.dumps(item.number, ensure_ascii=False),
    "displayName": lambda item: json.dumps(item.display_name, ensure_ascii=False),
    "displayName2": lambda item: '""',
    "type": lambda item: f'"{item.type}"',
    "itemCategoryCode": lambda item: '""',
    "blocked": lambda item: "true" if item.blocked else "false",
    "gtin": lambda item: '""',
    "inventory": lambda item: _number(item.inventory),
    "unitPrice": lambda item: "0",
    "unitCost": lambda item: "0",
    "baseUnitOfMeasureCode": lambda item: '"PCS"',
    "lastModifiedDateTime": lambda item: f'"{item.modified}"',
}
ENTRY_FIELDS: dict[str, Callable[[Entry], str]] = {
    "id": lambda entry: f'"{uuid.UUID(int=entry.entry_number)}"',
    "entryNumber": lambda entry: str(entry.entry_number),
    "itemNumber": lambda entry: json.dumps(entry.item_number, ensure_ascii=False),
    "postingDate": lambda entry: f'"{entry.modified[:10]}"',
    "entryType": lambda entry: '"Sale"' if entry.quantity < 0 else '"Positive_x0020_Adjmt_x002E_"',
    "documentNumber": lambda entry: f'"DOC{entry.entry_number}"',
    "quantity": lambda entry: _number(entry.quantity),
    "lastModifiedDateTime": lambda entry: f'"{entry.modified}"',
}


class BusinessCentralStore:
    """One company's stock. `lock` guards everything; `items` is sorted by id, so not by number."""

    def __init__(self, seed: int, seeds: list[ItemSeed]) -> None:
        self.lock = threading.RLock()
        self._random = random.Random(f"{seed}:bc-ids")
        start = now_text()
        self.items = [
            Item(self._guid(), s.number, s.display_name, s.type, s.blocked, s.inventory, start) for s in seeds
        ]
        self.items.sort(key=lambda item: item.id)
        self.by_number = {item.number: item for item in self.items}
        self.by_id = {item.id: item for item in self.items}
        self.entries: list[Entry] = []  # committed ones, by entry number
        self._last_entry = 1000  # a company has a past

    def _guid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def after(self, last_id: str) -> int:
        """The position of the first item whose id is greater."""
        return bisect_right(self.items, last_id, key=lambda item: item.id)

    def stock(self) -> dict[str, tuple[str, Decimal]]:
        """number -> (type, inventory), as it stands now."""
        with self.lock:
            return {item.number: (item.type, item.inventory) for item in self.items}

    def set_stock(self, number: str, inventory: Decimal, commit_after: float = 0.0) -> int:
        """Posts the difference: an entry number now, its commit (with the stock) perhaps later, out of order.

        The item's lastModifiedDateTime stays: posting touches the item only by accident.
        """
        with self.lock:
            item = self.by_number[number]
            self._last_entry += 1
            entry_number = self._last_entry
        if commit_after > 0:
            timer = threading.Timer(commit_after, self._commit, (item, entry_number, inventory))
            timer.daemon = True
            timer.start()
        else:
            self._commit(item, entry_number, inventory)
        return entry_number

    def _commit(self, item: Item, entry_number: int, inventory: Decimal) -> None:
        with self.lock:
            entry = Entry(entry_number, item.number, inventory - item.inventory, now_text())
            item.inventory = inventory
            item.rendered.clear()
            insort(self.entries, entry, key=lambda e: e.entry_number)

    def add(self, number: str, inventory: Decimal, **fields: Any) -> Item:
        with self.lock:
            if number in self.by_number:
                raise ValueError(f"item {number} exists")
            item = Item(
                self._guid(),
                number,
                str(fields.get("display_name", number)),
                str(fields.get("type", "Inventory")),
                bool(fields.get("blocked", False)),
                inventory,
                now_text(),
            )
            insort(self.items, item, key=lambda other: other.id)
            self.by_number[number] = self.by_id[item.id] = item
            return item

    def remove(self, number: str) -> None:
        """No tombstone stays behind."""
        with self.lock:
            item = self.by_number.pop(number)
            self.by_id.pop(item.id)
            self.items.remove(item)

    def change(self, number: str, **fields: Any) -> None:
        """Blocks, unblocks, renames or retypes an item."""
        with self.lock:
            item = self.by_number[number]
            for name, value in fields.items():
                if name not in ("blocked", "display_name", "type"):
                    raise ValueError(f"cannot change {name}")
                setattr(item, name, value)
            item.modified = now_text()
            item.rendered.clear()


def render_item(item: Item, select: tuple[str, ...]) -> bytes:
    """The item's JSON for a `$select`; the empty tuple means every field."""
    rendered = item.rendered.get(select)
    if rendered is None:
        fields = ",".join(f'"{name}":{ITEM_FIELDS[name](item)}' for name in select or ITEM_FIELDS)
        rendered = f'{{"@odata.etag":"W/\\"{item.id[:8]}\\"",{fields}}}'.encode()
        item.rendered[select] = rendered
    return rendered


def render_entry(entry: Entry, select: tuple[str, ...]) -> bytes:
    fields = ",".join(f'"{name}":{ENTRY_FIELDS[name](entry)}' for name in select or ENTRY_FIELDS)
    return f'{{"@odata.etag":"W/\\"{entry.entry_number}\\"",{fields}}}'.encode()
