"""What a WooCommerce shop holds, and the one way its stock changes."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..skus import same_sku_form
from ..truth import ShopRow
from .catalogue import Post

Listener = Callable[[str, Post], None]  # (topic, post), called perhaps under the lock: must not block
NEVER_MANAGED = ("grouped", "external")


@dataclass(slots=True)
class Write:
    """A stock write that took effect."""

    post: Post
    quantity: int
    previous: int
    received_at: float
    landed_at: float

    def as_json(self) -> dict[str, Any]:
        is_variation = self.post.type == "variation"
        return {
            "product_id": self.post.parent_id if is_variation else self.post.id,
            "variation_id": self.post.id if is_variation else None,
            "sku": self.post.sku,
            "quantity": self.quantity,
            "previous": self.previous,
            "received_at": self.received_at,
            "landed_at": self.landed_at,
        }


@dataclass
class WooCommerceStore:
    """`lock` guards everything; lists are sorted by id; `structure` counts changes of what there is."""

    products: list[Post] = field(default_factory=list)  # trashed ones too
    variations: list[Post] = field(default_factory=list)
    by_id: dict[int, Post] = field(default_factory=dict)
    by_sku: dict[str, list[Post]] = field(default_factory=dict)  # lower case; own SKUs only
    stock_managed: bool = True  # shop-wide: WooCommerce > Settings > Products > Inventory
    writes: list[Write] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    structure: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def emit(self, topic: str, *posts: Post) -> None:
        for listener in self.listeners:
            for post in posts:
                listener(topic, post)

    # Which products there are

    def add(self, product: Post) -> None:
        with self.lock:
            insort(self.products, product, key=lambda post: post.id)
            for post in (product, *product.children):
                self.by_id[post.id] = post
                self._index_sku(post)
            for child in product.children:
                insort(self.variations, child, key=lambda post: post.id)
            self.structure += 1
        self.emit("product.created", product, *product.children)

    def add_variation(self, parent: Post, variation: Post) -> None:
        with self.lock:
            parent.children.append(variation)
            self.by_id[variation.id] = variation
            insort(self.variations, variation, key=lambda post: post.id)
            self._index_sku(variation)
            self.touch(parent)
            self.structure += 1
        self.emit("product.created", variation)

    def remove(self, post_id: int) -> None:
        """A forced delete: gone, and no webhook says so."""
        with self.lock:
            post = self.by_id[post_id]
            for gone in (post, *post.children):
                del self.by_id[gone.id]
                rows = self.variations if gone.type == "variation" else self.products
                rows.pop(bisect_left(rows, gone.id, key=lambda other: other.id))
                if gone.sku:
                    self.by_sku[gone.sku.lower()].remove(gone)
            if post.parent_id and post.parent_id in self.by_id:
                parent = self.by_id[post.parent_id]
                parent.children.remove(post)
                self.touch(parent)
            self.structure += 1

    def change(self, post_id: int, **fields: Any) -> None:
        """Changes sku, status, manage_stock, type, name or backorders."""
        with self.lock:
            post = self.by_id[post_id]
            before = post.status
            if post.sku:
                self.by_sku[post.sku.lower()].remove(post)
            for name, value in fields.items():
                if name not in ("sku", "status", "manage_stock", "type", "name", "backorders"):
                    raise ValueError(f"cannot change {name}")
                setattr(post, name, value)
            self._index_sku(post)
            self.touch(post)
            self.structure += 1
        self.emit(_topic(before, post.status), post)

    def _index_sku(self, post: Post) -> None:
        if post.sku:
            self.by_sku.setdefault(post.sku.lower(), []).append(post)

    def touch(self, post: Post) -> None:
        """A save: bumps the time of the post and, for a variation, of its parent."""
        now = int(time.time())
        family = [post, *post.children]
        if post.parent_id in self.by_id:
            family.append(self.by_id[post.parent_id])
        for member in family:
            member.rendered.clear()  # variations show what their parent has
        post.modified = now
        if post.parent_id in self.by_id:
            self.by_id[post.parent_id].modified = now

    def set_shop_wide(self, managed: bool) -> None:
        with self.lock:
            self.stock_managed = managed
            for post in self.by_id.values():
                post.rendered.clear()

    # What a post reports

    def parent(self, post: Post) -> Post | None:
        return self.by_id.get(post.parent_id) if post.parent_id else None

    def sku(self, post: Post) -> str:
        """A variation without a SKU of its own reports its parent's."""
        parent = self.parent(post)
        return post.sku or (parent.sku if parent else "")

    def manages(self, post: Post) -> bool | str:
        """`parent` where the stock is the parent's."""
        if not self.stock_managed or post.type in NEVER_MANAGED:
            return False
        if post.manage_stock:
            return True
        parent = self.parent(post)
        return "parent" if parent is not None and parent.manage_stock else False

    def quantity(self, post: Post) -> int | None:
        manages = self.manages(post)
        if manages == "parent":
            parent = self.parent(post)
            return parent.stock if parent else None
        return post.stock if manages else None

    # Stock

    def set_stock(self, post: Post, quantity: int) -> int:
        """Sets the stock now; returns what it was."""
        with self.lock:
            previous, post.stock = post.stock, quantity
            self.touch(post)
        self.emit("product.updated", post)
        return previous

    def rows(self) -> list[ShopRow]:
        with self.lock:
            return [row for product in self.products for row in self._rows(product)]

    def _rows(self, product: Post) -> Iterable[ShopRow]:
        trashed = ("trashed",) if product.status == "trash" else ()
        reasons = trashed if self.manages(product) else (*trashed, "untracked")
        ids = (("product_id", product.id),)
        yield ShopRow(ids, product.sku, self.quantity(product), reasons, product.writes)
        for child in product.children:
            manages = self.manages(child)
            reasons = trashed if manages is True else (*trashed, "parent_managed" if manages else "untracked")
            sku = self.sku(child)
            if sku and same_sku_form(sku) == same_sku_form(product.sku):
                reasons = (*reasons, "inherits_sku")
            ids_of_child = (("product_id", product.id), ("variation_id", child.id))
            yield ShopRow(ids_of_child, sku, self.quantity(child), reasons, child.writes)


def _topic(before: str, after: str) -> str:
    """Of a change: into the trash, out of it, or neither."""
    if (before == "trash") == (after == "trash"):
        return "product.updated"
    return "product.deleted" if after == "trash" else "product.restored"
