"""BigCommerce's products and inventory as the shop's rows: who holds the stock, and what is on hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import TypeAdapter

from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.clients.typed import Row


class Pagination(Row):
    """`total` counts what the filter matches, over all pages."""

    total: int
    total_pages: int
    current_page: int


class Meta(Row):
    pagination: Pagination


class Page(Row):
    """The frame of every v3 list; the rows are parsed by the caller's own type."""

    data: list[Any]
    meta: Meta


class Variant(Row):
    """`option_values` is empty on the base variant, which stands for a product without options."""

    id: int
    sku: str | None = None
    inventory_level: int | None = None
    option_values: list[Any]


class Product(Row):
    id: int
    name: str | None = None
    sku: str | None = None
    inventory_level: int | None = None
    inventory_tracking: Literal["none", "product", "variant"]
    variants: list[Variant]


class Identified(Row):
    id: int


class Identity(Row):
    product_id: int
    variant_id: int | None = None


class LocationSettings(Row):
    safety_stock: int | None = None


class LocationLevel(Row):
    """Stock of one item at one location. available_to_sell = on hand - the shop's own safety stock."""

    location_id: int
    available_to_sell: int
    total_inventory_onhand: int
    location_enabled: bool = True
    settings: LocationSettings | None = None

    @property
    def safety_stock(self) -> int:
        return (self.settings.safety_stock if self.settings else None) or 0


class InventoryItem(Row):
    identity: Identity
    locations: list[LocationLevel]


class Location(Row):
    id: int
    label: str | None = None
    code: str | None = None
    enabled: bool = True
    is_default: bool = False


class Channel(Row):
    id: int
    name: str | None = None
    status: str | None = None


class Store(Row):
    id: str
    name: str | None = None


PAGE = TypeAdapter(Page)
PRODUCTS = TypeAdapter(list[Product])
IDENTIFIED = TypeAdapter(list[Identified])
INVENTORY = TypeAdapter(list[InventoryItem])
LOCATIONS = TypeAdapter(list[Location])
CHANNELS = TypeAdapter(list[Channel])
STORE = TypeAdapter(Store)


def rows_of(product: Product) -> list[ShopItem]:
    """The sellable rows of one product, by who holds its stock (`inventory_tracking`)."""
    real = [variant for variant in product.variants if variant.option_values]
    if product.inventory_tracking == "variant":
        return [_variant(product, variant, Tracking.VARIANT) for variant in product.variants]
    if product.inventory_tracking == "product":
        return [_whole(product, Tracking.PRODUCT), *(_variant(product, v, Tracking.PARENT) for v in real)]
    if real:
        return [_variant(product, variant, Tracking.NONE) for variant in real]
    return [_whole(product, Tracking.NONE)]


def _whole(product: Product, tracking: Tracking) -> ShopItem:
    """The product's own row. A simple product without a SKU may carry it on its base variant only."""
    base = next((v for v in product.variants if not v.option_values), None)
    sku = product.sku or (base.sku if base else None) or ""
    shown = product.inventory_level if tracking is Tracking.PRODUCT else None
    return ShopItem(ItemRef(product.id), sku, product.name or "", tracking, shown)


def _variant(product: Product, variant: Variant, tracking: Tracking) -> ShopItem:
    """A variant's row. The base variant is the product itself, so it may go by the product's SKU."""
    sku = variant.sku or (product.sku if not variant.option_values else None) or ""
    shown = variant.inventory_level if tracking is Tracking.VARIANT else None
    return ShopItem(ItemRef(product.id, variant.id), sku, product.name or "", tracking, shown)


class OnHand:
    """What `/inventory/items` says is on hand at one location, found by row."""

    def __init__(self, items: Iterable[InventoryItem], location_id: int) -> None:
        self._variants: dict[int, int] = {}
        self._products: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for item in items:
            for level in item.locations:
                if level.location_id == location_id:
                    self._add(item.identity, level.total_inventory_onhand)

    def _add(self, identity: Identity, quantity: int) -> None:
        variant_id = identity.variant_id or 0
        self._products[identity.product_id].append((variant_id, quantity))
        if variant_id:
            self._variants[variant_id] = quantity

    def at(self, ref: ItemRef) -> int | None:
        """On hand, or None where the answer does not tell: not in the answer is unknown, never 0.

        A product that holds the stock of its variants may be listed once, or once a variant with the same
        figure; figures that differ say nothing about the product.
        """
        if ref.variant_id:
            return self._variants.get(ref.variant_id)
        levels = self._products.get(ref.product_id, [])
        own = [quantity for variant_id, quantity in levels if not variant_id]
        figures = set(own or [quantity for _, quantity in levels])
        return figures.pop() if len(figures) == 1 else None


def with_on_hand(rows: Sequence[ShopItem], on_hand: OnHand) -> list[ShopItem]:
    """The same rows, showing what is on hand at the location instead of what is available to sell."""
    held = (Tracking.PRODUCT, Tracking.VARIANT)
    return [replace(row, shown=on_hand.at(row.ref)) if row.tracking in held else row for row in rows]


def shows_more_than_on_hand(items: Iterable[InventoryItem], location_id: int) -> bool:
    """Whether a product's `inventory_level` can't stand for on hand at this location.

    It counts what is available to sell over all enabled locations, so shop-side safety stock and stock at
    a second location both set it apart.
    """
    for item in items:
        for level in item.locations:
            if level.location_id != location_id:
                if level.location_enabled and level.total_inventory_onhand:
                    return True
            elif level.available_to_sell != level.total_inventory_onhand or level.safety_stock > 0:
                return True
    return False
