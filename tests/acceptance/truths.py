"""What Business Central was told to hold, version by version, and which version each write of a shop carries.

Each version gives each SKU a quantity that it never had before: so the quantity of a write says which version it
carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.simulators.handles import BusinessCentralHandle, ShopHandle

Row = tuple[str, int, int]
"""Of which shop, product, and variant or variation (0: the product itself)."""
STEP = 1_000  # between the quantities of two versions
TOO_MUCH = 900_000  # what a shop shows after somebody's mistake: above every version


class Truths:
    """The versions so far, of all SKUs that these shops must show."""

    def __init__(self, bc: BusinessCentralHandle, shops: Sequence[ShopHandle]) -> None:
        self._bc = bc
        self._keys = {
            row_of(shop, row): str(row["key"])
            for shop in shops
            for row in shop.truth()
            if row["expected"] is not None
        }
        self._places = {key: place % STEP for place, key in enumerate(sorted(set(self._keys.values())))}
        self.version = 0

    def change(self) -> None:
        """Business Central holds the next version from now on."""
        self.version += 1
        self._bc.set_stock({key: self.quantity(key, self.version) for key in self._places})

    def quantity(self, key: str, version: int) -> int:
        """What a SKU has in a version."""
        return version * STEP + self._places[key]

    def rows(self, shop: ShopHandle) -> list[tuple[int, int]]:
        """Product, and variant or variation, of the rows that a shop must show."""
        return [(product_id, within) for name, product_id, within in self._keys if name == shop.name]

    def written(self, shop: ShopHandle) -> dict[Row, list[int]]:
        """Of each row that must be shown, the versions that the shop was sent, as it received them."""
        versions: dict[Row, list[int]] = {row: [] for row in self._keys if row[0] == shop.name}
        for write in shop.writes():
            row = row_of(shop, write)
            version, place = divmod(write["quantity"], STEP)
            assert place == self._places[self._keys[row]], f"{write} is of no version"
            assert 1 <= version <= self.version, f"{write} is of no version"
            versions[row].append(version)
        return versions


def row_of(shop: ShopHandle, named: dict[str, Any]) -> Row:
    """The row that a write or a row of the truth is about."""
    return shop.name, named["product_id"], named.get("variant_id") or named.get("variation_id") or 0


def stepped_back(versions: dict[Row, list[int]]) -> dict[Row, list[int]]:
    """The rows to which a version was written after a newer one had been received."""
    return {row: found for row, found in versions.items() if found != sorted(found)}
