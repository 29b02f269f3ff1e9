"""The seeded catalogue: BC's items, and for each shop the SKUs it sells, with the trouble real shops have."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from .skus import SHAPE_WEIGHTS, number_of, shop_sku

INVENTORY = "Inventory"
SERVICE = "Service"
NON_INVENTORY = "Non_x002D_Inventory"  # OData escapes the hyphen of the enum's name

# How a shop writes its SKUs, in percent of the draws (a collision and a duplicate give two SKUs each).
SKU_KINDS = {
    "as_is": 77.0,
    "lower": 6.0,
    "spaced": 3.0,
    "long": 3.0,
    "cut_leaves_space": 0.7,
    "grows": 0.5,
    "halved_pair": 0.3,
    "collision": 1.0,
    "collision_with_exact": 0.5,
    "duplicate": 1.0,
    "empty": 2.0,
    "unknown": 5.0,
}
# The shape of BC number that a kind is made from; any other kind takes any number.
SHAPE_OF_KIND = {
    "long": "exactly_20",
    "collision": "exactly_20",
    "collision_with_exact": "exactly_20",
    "cut_leaves_space": "exactly_19",
    "grows": "grows",
    "halved_pair": "halved_pair",
}


@dataclass(frozen=True, slots=True)
class ItemSeed:
    """A BC item as it stands at the start."""

    number: str
    shape: str
    display_name: str
    type: str
    blocked: bool
    inventory: Decimal


def bc_items(seed: int, count: int) -> list[ItemSeed]:
    """`count` items, the same for the same seed; numbers are unique, upper case, at most 20 UTF-16 units."""
    rng = random.Random(f"{seed}:bc")
    shapes = rng.choices(list(SHAPE_WEIGHTS), weights=list(SHAPE_WEIGHTS.values()), k=count)
    items = []
    for index, shape in enumerate(shapes):
        number = number_of(shape, index, rng)
        draw = rng.random()
        item_type = INVENTORY if draw > 0.03 else SERVICE if draw > 0.015 else NON_INVENTORY
        # Services and non-inventory items read 0, whatever happens.
        stock = _inventory(rng) if item_type == INVENTORY else Decimal(0)
        items.append(
            ItemSeed(number, shape, f"Article {index} {number}", item_type, rng.random() < 0.02, stock)
        )
    return items


def _inventory(rng: random.Random) -> Decimal:
    draw = rng.random()
    if draw < 0.70:
        return Decimal(rng.randint(1, 500))
    if draw < 0.78:
        return Decimal(0)
    if draw < 0.93:  # up to 5 decimals: goods sold by weight or length
        return Decimal(rng.randint(1, 50_000_000)).scaleb(-rng.randint(1, 5))
    if draw < 0.95:  # below one: floors to 0
        return Decimal(rng.randint(1, 99_999)).scaleb(-5)
    if draw < 0.98:  # sold before it was received
        return Decimal(-rng.randint(1, 60))
    return Decimal(-rng.randint(1, 99_999)).scaleb(-4)


def shop_skus(seed: int, shop: str, items: list[ItemSeed], count: int) -> list[str]:
    """`count` SKUs as the shop writes them, shuffled; where BC has too few items the rest is unknown."""
    rng = random.Random(f"{seed}:{shop}:skus")
    supply = _Supply(items, rng)
    kinds, weights = list(SKU_KINDS), list(SKU_KINDS.values())
    skus: list[str] = []
    while len(skus) < count:
        skus.extend(_draw(rng.choices(kinds, weights)[0], supply, rng))
    del skus[count:]
    rng.shuffle(skus)
    return skus


def _draw(kind: str, supply: _Supply, rng: random.Random) -> list[str]:
    if kind == "empty":
        return [rng.choice(("", "", " ", "\t "))]
    if kind == "unknown":
        return [supply.unknown()]
    number = supply.take(SHAPE_OF_KIND.get(kind))
    if number is None:
        return [supply.unknown()]
    if kind == "collision":
        return [f"{number}-A", f"{number.lower()}-b"]
    if kind == "collision_with_exact":
        return [number, f"{number} (old)"]
    if kind == "duplicate":
        return [number, rng.choice((number, number.lower(), f" {number}"))]
    return [shop_sku(kind, number, rng)]


class _Supply:
    """BC's numbers in a shuffled order, each given out once, by shape."""

    def __init__(self, items: list[ItemSeed], rng: random.Random) -> None:
        self._rng = rng
        self._unknown = 0
        self._by_shape: dict[str, list[str]] = defaultdict(list)
        order = list(range(len(items)))
        rng.shuffle(order)
        for position in order:
            self._by_shape[items[position].shape].append(items[position].number)

    def take(self, shape: str | None) -> str | None:
        if shape is not None:
            return self._by_shape[shape].pop() if self._by_shape[shape] else None
        stocked = [name for name, numbers in self._by_shape.items() if numbers]
        if not stocked:
            return None
        # By what is left, so that the shop sells the shapes in BC's proportions.
        chosen = self._rng.choices(stocked, [len(self._by_shape[name]) for name in stocked])[0]
        return self._by_shape[chosen].pop()

    def unknown(self) -> str:
        self._unknown += 1
        return self._rng.choice(("NOT-IN-BC-{}", "gift card {}", "Own & Brand's {}", "ÜNBEKANNT {}%")).format(
            self._unknown
        )


def starting_stock(rng: random.Random, wanted: int | None) -> int:
    """What a shop shows at the start: mostly not what BC has, now and then exactly that."""
    if wanted is not None and rng.random() < 0.1:
        return wanted
    stock = rng.randint(0, 400)
    return stock + 401 if stock == wanted else stock
