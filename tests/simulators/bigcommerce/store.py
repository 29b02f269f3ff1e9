"""What a BigCommerce store holds, and the one way its stock changes."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..truth import ShopRow
from . import events
from .catalogue import Product, Variant

Owner = Product | Variant  # what stock stands on
Listener = Callable[
    [str, dict[str, Any]], None
]  # (scope, data), called perhaps under the lock: must not block


@dataclass(slots=True)
class Location:
    """A place that holds stock. Location 1 always exists; it need not be the default, nor enabled."""

    id: int
    code: str
    enabled: bool
    is_default: bool


@dataclass(slots=True)
class Write:
    """A stock write, from acceptance to landing."""

    transaction: str
    owner: Owner
    location_id: int
    quantity: int
    received_at: float
    landed_at: float | None = None
    previous: int | None = None

    def as_json(self) -> dict[str, Any]:
        is_variant = isinstance(self.owner, Variant)
        return {
            "product_id": self.owner.product_id if isinstance(self.owner, Variant) else self.owner.id,
            "variant_id": self.owner.id if is_variant else None,
            "sku": self.owner.sku,
            "location_id": self.location_id,
            "quantity": self.quantity,
            "previous": self.previous,
            "received_at": self.received_at,
            "landed_at": self.landed_at,
            "transaction_id": self.transaction,
        }


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


@dataclass
class BigCommerceStore:
    """`lock` guards everything. `products` is sorted by id; `structure` counts changes of what there is."""

    locations: list[Location]
    channels: tuple[int, ...]
    products: list[Product] = field(default_factory=list)
    by_id: dict[int, Product] = field(default_factory=dict)
    variants: dict[int, Variant] = field(default_factory=dict)
    variant_ids: list[int] = field(default_factory=list)  # sorted
    by_sku: dict[str, list[Owner]] = field(default_factory=dict)  # lower case: BigCommerce ignores it
    writes: list[Write] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    structure: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def default_location(self) -> Location:
        return next(location for location in self.locations if location.is_default)

    def emit(self, *happened: events.Event) -> None:
        for listener in self.listeners:
            for scope, data in happened:
                listener(scope, data)

    # Which products there are

    def add(self, product: Product) -> None:
        with self.lock:
            insort(self.products, product, key=lambda other: other.id)
            self.by_id[product.id] = product
            for variant in product.variants:
                self.variants[variant.id] = variant
                insort(self.variant_ids, variant.id)
            self._index_skus(product)
            self.structure += 1
        self.emit(*events.created(product))

    def add_variant(self, variant: Variant) -> None:
        with self.lock:
            product = self.by_id[variant.product_id]
            self._forget_skus(product)
            product.variants.append(variant)
            self.variants[variant.id] = variant
            insort(self.variant_ids, variant.id)
            self._index_skus(product)
            self.touch(product)
            self.structure += 1
        self.emit(events.sku_event("created", variant))

    def remove(self, product_id: int) -> None:
        with self.lock:
            product = self.by_id.pop(product_id)
            self.products.pop(bisect_left(self.products, product_id, key=lambda other: other.id))
            for variant in product.variants:
                del self.variants[variant.id]
                self.variant_ids.pop(bisect_left(self.variant_ids, variant.id))
            self._forget_skus(product)
            self.structure += 1
        self.emit(events.product_event("deleted", product_id))

    def remove_variant(self, variant_id: int) -> None:
        with self.lock:
            variant = self.variants.pop(variant_id)
            self.variant_ids.pop(bisect_left(self.variant_ids, variant_id))
            product = self.by_id[variant.product_id]
            self._forget_skus(product)
            product.variants.remove(variant)
            self._index_skus(product)
            self.touch(product)
            self.structure += 1
        self.emit(events.sku_event("deleted", variant))

    def owners(self, product: Product) -> Iterable[Owner]:
        yield product
        yield from product.variants

    def _index_skus(self, product: Product) -> None:
        for owner in self.owners(product):
            if owner.sku:
                self.by_sku.setdefault(owner.sku.lower(), []).append(owner)

    def _forget_skus(self, product: Product) -> None:
        for owner in self.owners(product):
            if owner.sku:
                self.by_sku[owner.sku.lower()].remove(owner)

    def touch(self, product: Product) -> None:
        product.modified = now_text()
        product.rendered.clear()

    def change(self, product_id: int, **fields: Any) -> None:
        """Changes name, sku, tracking, channels, is_visible or safety_stock of a product."""
        with self.lock:
            product = self.by_id[product_id]
            channels = product.channels
            self._forget_skus(product)
            for name, value in fields.items():
                if name not in ("name", "sku", "tracking", "channels", "is_visible", "safety_stock"):
                    raise ValueError(f"cannot change {name}")
                setattr(product, name, tuple(value) if name == "channels" else value)
            if "sku" in fields and product.is_simple:
                product.variants[0].sku = product.sku  # a simple product and its base variant are one
            self._index_skus(product)
            self.touch(product)
            self.structure += 1
        # Unconfirmed whether a change of channels alone updates the product, too: here it doesn't.
        updated = [events.product_event("updated", product_id)] if set(fields) != {"channels"} else []
        self.emit(*updated, *events.channels_changed(product_id, channels, product.channels))

    def change_variant_sku(self, variant_id: int, sku: str) -> None:
        with self.lock:
            variant = self.variants[variant_id]
            product = self.by_id[variant.product_id]
            self._forget_skus(product)
            variant.sku = sku
            if product.is_simple:
                product.sku = sku
            self._index_skus(product)
            self.touch(product)
        self.emit(events.sku_event("updated", variant))

    # Stock

    def set_on_hand(self, owner: Owner, location_id: int, quantity: int, by_order: bool = False) -> int:
        """Sets the stock now; returns what it was. Fires what the shop's own hooks would."""
        with self.lock:
            previous = owner.on_hand.get(location_id, 0)
            owner.on_hand[location_id] = quantity
            product = self.by_id.get(owner.product_id if isinstance(owner, Variant) else owner.id)
            if product is not None:
                self.touch(product)
        if product is not None:  # a write may land on what was deleted meanwhile
            self.emit(*events.stock_changed(owner, quantity - previous, by_order))
        return previous

    def available(self, owner: Owner) -> int:
        """What the catalogue shows: on hand at enabled locations, less the shop's own safety stock."""
        product = self.by_id[owner.product_id] if isinstance(owner, Variant) else owner
        places = [loc.id for loc in self.locations if loc.enabled]
        return sum(max(0, owner.on_hand.get(place, 0) - product.safety_stock) for place in places)

    def rows(
        self, channels: tuple[int, ...], other_channels: tuple[int, ...], location_id: int
    ) -> list[ShopRow]:
        """The store's rows as a site with these channels sees them; no channels means all of them."""
        with self.lock:
            return [
                row
                for product in self.products
                for row in _rows(product, _outside(product, channels, other_channels), location_id)
            ]


def _outside(product: Product, channels: tuple[int, ...], other_channels: tuple[int, ...]) -> tuple[str, ...]:
    if channels and not set(channels) & set(product.channels):
        return ("other_channel",)
    if set(other_channels) & set(product.channels):
        return ("contested",)
    return ()


def _rows(product: Product, outside: tuple[str, ...], location_id: int) -> Iterable[ShopRow]:
    def row(owner: Owner, *reasons: str) -> ShopRow:
        ids = (("product_id", product.id),)
        if isinstance(owner, Variant):
            ids += (("variant_id", owner.id),)  # type: ignore[assignment]
        return ShopRow(ids, owner.sku, owner.on_hand.get(location_id), (*outside, *reasons), owner.writes)

    if product.is_simple:
        owner: Owner = product.variants[0] if product.tracking == "variant" else product
        yield row(owner, *(("untracked",) if product.tracking == "none" else ()))
        return
    if product.tracking == "product":
        yield row(product)
    reason = {"none": ("untracked",), "product": ("tracked_by_product",)}.get(product.tracking, ())
    for variant in product.variants:
        yield row(variant, *reason)
