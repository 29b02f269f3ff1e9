"""What tests may do to a WooCommerce shop behind its API's back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ..fault_actions import HELD_WRITES
from ..truth import Judgement, compare, judge
from .catalogue import Post
from .simulator import WooCommerceSimulator
from .webhook_controls import WooCommerceWebhookControls

Stock = Callable[[], dict[str, tuple[str, Decimal]]]


class WooCommerceControls:
    """Adds the actions to the simulator's control panel. `stock` reads BC as it stands."""

    def __init__(self, simulator: WooCommerceSimulator, stock: Stock) -> None:
        self._simulator, self._store, self._stock = simulator, simulator.store, stock
        self._ids = itertools.count(9_000_000)
        simulator.control.add(
            compare=self.compare,
            truth=lambda body: {"rows": [judgement.as_json() for judgement in self._judge(body)]},
            writes=self.writes,
            forget_writes=self.forget_writes,
            row=self.row,
            set_shop_stock=self.set_shop_stock,
            sell=self.sell,
            create_product=self.create_product,
            create_variation=self.create_variation,
            delete_product=lambda body: self._store.remove(int(body["product_id"])),
            trash_product=lambda body: self._store.change(int(body["product_id"]), status="trash"),
            restore_product=lambda body: self._store.change(int(body["product_id"]), status="publish"),
            change_product=self.change_product,
            configure=self.configure,
        )
        WooCommerceWebhookControls(simulator)

    def _judge(self, body: dict[str, Any]) -> list[Judgement]:
        return judge(self._store.rows(), self._stock(), int(body.get("safety_stock", 0)))

    def compare(self, body: dict[str, Any]) -> dict[str, Any]:
        """Writes show at once here; only those that a fault holds back are pending."""
        pending = self._simulator.counters.now(HELD_WRITES)
        return compare(self._judge(body), pending, int(body.get("limit", 20)))

    def writes(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._store.lock:
            return {"writes": [write.as_json() for write in self._store.writes[int(body.get("start", 0)) :]]}

    def forget_writes(self, body: dict[str, Any]) -> None:
        """Starts the judgement of what was touched anew."""
        with self._store.lock:
            self._store.writes.clear()
            for post in self._store.by_id.values():
                post.writes = 0

    def _post(self, body: dict[str, Any]) -> Post:
        return self._store.by_id[int(body.get("variation_id") or body["product_id"])]

    def row(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._store.lock:
            post = self._post(body)
            return {
                "sku": self._store.sku(post),
                "stock_quantity": self._store.quantity(post),
                "manage_stock": self._store.manages(post),
                "status": post.status,
                "writes": post.writes,
            }

    def set_shop_stock(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"previous": self._store.set_stock(self._post(body), int(body["quantity"]))}

    def sell(self, body: dict[str, Any]) -> dict[str, Any]:
        """A shopper buys `quantity` (1): the shop lowers its own stock."""
        with self._store.lock:
            post = self._post(body)
            left = post.stock - int(body.get("quantity", 1))
            self._store.set_stock(post, left)
        return {"quantity": left}

    def _new(self, body: dict[str, Any], post_type: str, **fields: Any) -> Post:
        now = int(time.time())
        number = int(body.get("id", next(self._ids)))
        quantity = int(body.get("quantity", 0))
        managed = bool(body.get("manage_stock", True))
        status = body.get("status", "publish")
        return Post(
            number,
            post_type,
            body.get("sku", ""),
            managed,
            quantity,
            status=status,
            name=f"Product {number}",
            modified=now,
            created=now,
            **fields,
        )

    def create_product(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{sku, quantity, manage_stock, status, id?, type?, variations: [{sku, quantity, ...}]}`."""
        rows = body.get("variations") or []
        defaults = {"manage_stock": not rows, **body}
        product = self._new(defaults, body.get("type", "variable" if rows else "simple"))
        product.children = [self._new(row, "variation", parent_id=product.id) for row in rows]
        self._store.add(product)
        return {"product_id": product.id, "variation_ids": [child.id for child in product.children]}

    def create_variation(self, body: dict[str, Any]) -> dict[str, Any]:
        parent = self._store.by_id[int(body["product_id"])]
        variation = self._new(body, "variation", parent_id=parent.id)
        self._store.add_variation(parent, variation)
        return {"variation_id": variation.id}

    def change_product(self, body: dict[str, Any]) -> None:
        """`product_id` or `variation_id`, and sku, status, manage_stock, type, name or backorders."""
        fields = {name: value for name, value in body.items() if name not in ("product_id", "variation_id")}
        self._store.change(self._post(body).id, **fields)

    def configure(self, body: dict[str, Any]) -> None:
        """flat_variations, stock_managed, maintenance, redirect_to, basic_over_http, strips_authorization,
        permissions (`read`, `read_write`), write_ms_per_item, utc_offset, webhook_coalesce_seconds,
        webhook_timeout_seconds."""
        simulator = self._simulator
        sending = simulator.sending
        sending.timeout_seconds = float(body.get("webhook_timeout_seconds", sending.timeout_seconds))
        sending.coalesce_seconds = float(body.get("webhook_coalesce_seconds", sending.coalesce_seconds))
        simulator.flat_variations = bool(body.get("flat_variations", simulator.flat_variations))
        simulator.maintenance = bool(body.get("maintenance", simulator.maintenance))
        simulator.redirect_to = str(body.get("redirect_to", simulator.redirect_to))
        gate = simulator.gate
        gate.basic_over_http = bool(body.get("basic_over_http", gate.basic_over_http))
        gate.strips_authorization = bool(body.get("strips_authorization", gate.strips_authorization))
        gate.key.permissions = str(body.get("permissions", gate.key.permissions))
        if "write_ms_per_item" in body:
            simulator.writing.seconds_per_item = float(body["write_ms_per_item"]) / 1000
        if "stock_managed" in body:
            self._store.set_shop_wide(bool(body["stock_managed"]))
        if "utc_offset" in body:
            simulator.renderer.utc_offset = float(body["utc_offset"])
            self._store.set_shop_wide(self._store.stock_managed)  # drops every rendered date
