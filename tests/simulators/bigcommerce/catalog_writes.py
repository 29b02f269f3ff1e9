"""`PUT /catalog/variants` and `PUT /catalog/products`: the slow way to write stock, kept for completeness."""

from __future__ import annotations

import time
import uuid
from typing import Any

from ..counters import Counters
from ..wire import RefusalError, Request, Response, json_response
from .answers import refuse
from .inventory_api import MAX_QUANTITY
from .store import BigCommerceStore, Owner, Write

MAX_VARIANTS = 50
MAX_PRODUCTS = 10


class CatalogWrites:
    """Stock goes to the default location, at once. Anything but `inventory_level` counts as a violation."""

    def __init__(self, store: BigCommerceStore, counters: Counters) -> None:
        self._store, self._counters = store, counters

    def variants(self, request: Request) -> Response:
        items = self._items(request, MAX_VARIANTS)
        with self._store.lock:
            errors = []
            for item in items:
                variant = self._store.variants.get(item.get("id", 0))
                if variant is None:
                    errors.append({"id": item.get("id"), "title": "Variant not found"})
                elif self._store.by_id[variant.product_id].tracking == "variant":
                    self._write(request, variant, item)
            if errors:
                return json_response({"batch_errors": errors}, 422)
        return json_response({"data": [{"id": item["id"]} for item in items], "meta": {}})

    def products(self, request: Request) -> Response:
        items = self._items(request, MAX_PRODUCTS)
        with self._store.lock:
            for item in items:
                product = self._store.by_id.get(item.get("id", 0))
                if product is None:
                    raise refuse(422, "Product not found", {"id": str(item.get("id"))})
                if product.tracking == "product":
                    self._write(request, product, item)
        return json_response({"data": [{"id": item["id"]} for item in items], "meta": {}})

    def _items(self, request: Request, highest: int) -> list[dict[str, Any]]:
        try:
            items = request.json()
        except ValueError:
            items = None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            self._counters.violation("bad_body", request.target)
            raise refuse(422, "The body is not a list of objects")
        if len(items) > highest:
            self._counters.violation("too_many_items", f"{len(items)} items; at most {highest}")
            raise refuse(413, f"At most {highest} items")
        if any(set(item) - {"id", "inventory_level"} for item in items):
            self._counters.violation("wrote_other_field", request.target)
        return items

    def _write(self, request: Request, owner: Owner, item: dict[str, Any]) -> None:
        level = item.get("inventory_level")
        if type(level) is not int or not 0 <= level <= MAX_QUANTITY:
            self._counters.violation("bad_quantity", repr(level))
            raise RefusalError(refuse(422, "inventory_level is not valid").response)
        place = self._store.default_location.id
        previous = self._store.set_on_hand(owner, place, level)
        owner.writes += 1
        write = Write(str(uuid.uuid4()), owner, place, level, request.received_at, time.time(), previous)
        self._store.writes.append(write)
