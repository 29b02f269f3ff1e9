"""The JSON of a product or variation, kept until it changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .catalogue import Post
from .store import WooCommerceStore

_DESCRIPTION = "<p>" + "What a shop says about a thing it sells. " * 6 + "</p>"


class Renderer:
    """`utc_offset` is the shop's time zone in hours: local dates differ from the `_gmt` ones."""

    def __init__(self, store: WooCommerceStore, url: str, utc_offset: float) -> None:
        self._store, self.home, self.utc_offset = store, f"{url}/", utc_offset
        self._fields: dict[str, Callable[[Post], Any]] = {
            "id": lambda post: post.id,
            "name": lambda post: post.name,
            "slug": lambda post: f"post-{post.id}",
            "permalink": lambda post: f"{url}/?p={post.id}",
            "date_created": lambda post: self.local(post.created),
            "date_created_gmt": lambda post: gmt(post.created),
            "date_modified": lambda post: self.local(post.modified),
            "date_modified_gmt": lambda post: gmt(post.modified),
            "type": lambda post: post.type,
            "status": lambda post: post.status,
            "description": lambda post: _DESCRIPTION,
            "sku": store.sku,
            "price": lambda post: "9.50",
            "regular_price": lambda post: "9.50",
            "manage_stock": store.manages,
            "stock_quantity": store.quantity,
            "stock_status": self.stock_status,
            "backorders": lambda post: post.backorders,
            "backorders_allowed": lambda post: post.backorders != "no",
            "low_stock_amount": lambda post: None,
            "parent_id": lambda post: post.parent_id,
            "attributes": lambda post: [],
            "variations": lambda post: [child.id for child in post.children],
            "_links": lambda post: {"self": [{"href": f"{url}/wp-json/wc/v3/products/{post.id}"}]},
        }

    def local(self, seconds: int) -> str:
        return gmt(seconds + int(self.utc_offset * 3600))

    def stock_status(self, post: Post) -> str:
        """Derived from quantity and backorders where stock is managed."""
        quantity = self._store.quantity(post)
        if quantity is None or quantity > 0:
            return "instock"
        return "onbackorder" if post.backorders != "no" else "outofstock"

    def render(self, post: Post, fields: tuple[str, ...]) -> bytes:
        """`_fields` slims the answer; unknown names are passed over in silence; none of them means all."""
        rendered = post.rendered.get(fields)
        if rendered is None:
            names = [name for name in fields if name in self._fields] if fields else list(self._fields)
            if post.type == "variation":
                names = [name for name in names if name != "variations"]
            row = {name: self._fields[name](post) for name in names}
            rendered = post.rendered[fields] = json.dumps(row, ensure_ascii=False).encode()
        return rendered


def gmt(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
