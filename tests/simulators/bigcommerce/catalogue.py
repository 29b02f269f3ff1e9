"""The seeded products of a BigCommerce store."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..catalogue import INVENTORY, ItemSeed, shop_skus, starting_stock
from ..skus import key_of
from ..truth import wanted_quantity

CHANNELS = (1, 2, 3)  # channel 1 always exists; a site of ours uses channel 1 unless told otherwise
OUR_CHANNELS = (1,)

# Channels of a product, in percent: in ours, in ours and another, in others only, in none.
_CHANNEL_SETS: dict[tuple[int, ...], int] = {(1,): 85, (1, 2): 7, (2,): 4, (2, 3): 2, (): 2}


@dataclass(slots=True, eq=False)
class Variant:
    """A variant; a base variant is the one of a product without options."""

    id: int
    product_id: int
    sku: str
    option: str = ""  # empty: the base variant
    on_hand: dict[int, int] = field(default_factory=dict)  # by location
    writes: int = 0


@dataclass(slots=True, eq=False)
class Product:
    """A product; stock stands on the product or on its variants, as `tracking` says."""

    id: int
    name: str
    sku: str
    tracking: str  # none, product, variant
    channels: tuple[int, ...]
    is_visible: bool
    modified: str
    variants: list[Variant] = field(default_factory=list)
    on_hand: dict[int, int] = field(default_factory=dict)
    safety_stock: int = 0  # the shop's own: kept out of available_to_sell
    writes: int = 0
    rendered: dict[object, bytes] = field(default_factory=dict)

    @property
    def is_simple(self) -> bool:
        return len(self.variants) == 1 and not self.variants[0].option


def products(
    seed: int, shop: str, items: list[ItemSeed], skus: int, location_id: int, start: str
) -> Iterator[Product]:
    """Products whose sellable rows (simple products and variants with options) number `skus`."""
    rng = random.Random(f"{seed}:{shop}:products")
    supply = shop_skus(seed, shop, items, skus)
    wanted = {i.number: wanted_quantity(i.inventory) for i in items if i.type == INVENTORY}
    product_id, variant_id = rng.randint(100, 200), rng.randint(500, 900)

    def stock(sku: str) -> dict[int, int]:
        return {location_id: starting_stock(rng, wanted.get(key_of(sku)))}

    while supply:
        product_id += rng.choice((1, 1, 1, 2, 5))
        channels = rng.choices(list(_CHANNEL_SETS), list(_CHANNEL_SETS.values()))[0]
        size = 1 if rng.random() < 0.55 else min(rng.randint(2, 9), len(supply))
        name = f"Product {product_id}"
        product = Product(product_id, name, "", "product", channels, rng.random() > 0.05, start)
        if size == 1:
            variant_id += rng.choice((1, 1, 2))
            product.sku = supply.pop()
            product.tracking = "none" if rng.random() < 0.06 else "product"
            product.variants = [Variant(variant_id, product_id, product.sku)]
            product.on_hand = stock(product.sku)
        else:
            product.tracking = rng.choices(("variant", "product", "none"), (88, 7, 5))[0]
            # A product tracked by variant may have a SKU of its own, which names nothing that is sold.
            product.sku = f"MAIN-{product_id}" if rng.random() < 0.5 else ""
            for number in range(size):
                variant_id += rng.choice((1, 1, 2))
                sku = supply.pop()
                product.variants.append(
                    Variant(variant_id, product_id, sku, f"Option {number + 1}", stock(sku))
                )
            if product.tracking == "product":
                _track_by_product(product, stock)
        yield product


def _track_by_product(product: Product, stock: object) -> None:
    """One stock for all variants: the product has a SKU that BC may know, its variants theirs in vain."""
    first = product.variants[0]
    product.sku, first.sku = first.sku, f"{product.sku or 'VAR'}-{product.id}-1"
    product.on_hand, first.on_hand = first.on_hand, {}
    for variant in product.variants:
        variant.on_hand = {}
