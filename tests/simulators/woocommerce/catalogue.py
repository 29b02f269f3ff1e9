"""The seeded products of a WooCommerce shop."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..catalogue import INVENTORY, ItemSeed, shop_skus, starting_stock
from ..skus import key_of
from ..truth import wanted_quantity


@dataclass(slots=True, eq=False)
class Post:
    """A product or a variation: WordPress keeps both as posts, numbered together."""

    id: int
    type: str  # simple, variable, grouped, external, variation
    sku: str
    manage_stock: bool
    stock: int
    parent_id: int = 0
    status: str = "publish"
    backorders: str = "no"
    name: str = ""
    modified: int = 0  # UTC, in seconds: WooCommerce knows no finer
    created: int = 0
    children: list[Post] = field(default_factory=list)
    writes: int = 0
    rendered: dict[tuple[str, ...], bytes] = field(default_factory=dict)


def products(seed: int, shop: str, items: list[ItemSeed], skus: int) -> Iterator[Post]:
    """Products, with their variations as children, whose simple products and variations number `skus`."""
    rng = random.Random(f"{seed}:{shop}:products")
    supply = shop_skus(seed, shop, items, skus)
    wanted = {i.number: wanted_quantity(i.inventory) for i in items if i.type == INVENTORY}
    builder = _Builder(rng, supply, wanted)
    while supply:
        if rng.random() < 0.65:
            yield builder.simple()
        else:
            yield builder.variable(min(rng.randint(2, 8), len(supply)))


class _Builder:
    """Numbers posts and draws what each is like."""

    def __init__(self, rng: random.Random, supply: list[str], wanted: dict[str, int]) -> None:
        self._rng, self._supply, self._wanted = rng, supply, wanted
        self._last_id = rng.randint(10, 60)
        self._now = int(time.time()) - 90 * 86_400

    def _post(self, post_type: str, sku: str, manage_stock: bool) -> Post:
        self._last_id += self._rng.choice((1, 1, 1, 3, 7))  # pages, orders and images take numbers too
        post = Post(self._last_id, post_type, sku, manage_stock, 0)
        post.stock = starting_stock(self._rng, self._wanted.get(key_of(sku))) if manage_stock else 0
        post.backorders = "notify" if self._rng.random() < 0.04 else "no"
        post.name = f"{post_type.title()} {post.id}"
        post.created = post.modified = self._now + post.id
        return post

    def _status(self) -> str:
        return self._rng.choices(("publish", "draft", "private"), (95, 3, 2))[0]

    def simple(self) -> Post:
        draw = self._rng.random()
        post_type = "external" if draw < 0.01 else "grouped" if draw < 0.02 else "simple"
        managed = post_type == "simple" and self._rng.random() > 0.07
        post = self._post(post_type, self._supply.pop(), managed)
        post.status = self._status()
        return post

    def variable(self, size: int) -> Post:
        """Stock on each variation mostly; now and then on the parent, for all or some of its variations."""
        by_parent = self._rng.random() < 0.12
        own_sku = by_parent or self._rng.random() < 0.4
        # The SKU of a parent that manages stock is sold, so BC may know it.
        sku = self._supply.pop() if by_parent else ""
        parent = self._post("variable", sku, by_parent)
        if own_sku and not by_parent:
            parent.sku = f"PARENT-{parent.id}"
        parent.status = self._status()
        for _ in range(min(size, len(self._supply))):
            self._add_variation(parent, by_parent)
        return parent

    def _add_variation(self, parent: Post, by_parent: bool) -> None:
        sku = self._supply.pop()
        if parent.sku and self._rng.random() < 0.06:
            sku = ""  # it will report its parent's
        managed = self._rng.random() < (0.15 if by_parent else 0.93)
        variation = self._post("variation", sku, managed)
        variation.parent_id = parent.id
        parent.children.append(variation)
