"""What tests may do to a BigCommerce store behind its API's back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ..fault_actions import HELD_WRITES
from ..truth import Judgement, compare, judge
from .catalogue import OUR_CHANNELS, Product, Variant
from .simulator import BigCommerceSimulator
from .store import Location, Owner, now_text
from .webhook_controls import BigCommerceWebhookControls

Stock = Callable[[], dict[str, tuple[str, Decimal]]]


class BigCommerceControls:
    """Adds the actions to the simulator's control panel. `stock` reads BC as it stands."""

    def __init__(self, simulator: BigCommerceSimulator, stock: Stock) -> None:
        self._simulator, self._store, self._stock = simulator, simulator.store, stock
        self._ids = itertools.count(9_000_000)
        simulator.control.add(
            compare=self.compare,
            truth=lambda body: {"rows": [judgement.as_json() for judgement in self._judge(body)]},
            writes=self.writes,
            row=self.row,
            set_shop_stock=self.set_shop_stock,
            sell=self.sell,
            create_product=self.create_product,
            delete_product=lambda body: self._store.remove(int(body["product_id"])),
            delete_variant=lambda body: self._store.remove_variant(int(body["variant_id"])),
            change_product=self.change_product,
            change_variant_sku=lambda body: self._store.change_variant_sku(
                int(body["variant_id"]), body["sku"]
            ),
            land_all=lambda body: simulator.lander.land_all(),
            configure=self.configure,
            locations=self.locations,
            forget_writes=self.forget_writes,
            create_variant=self.create_variant,
        )
        BigCommerceWebhookControls(simulator)

    def _judge(self, body: dict[str, Any]) -> list[Judgement]:
        channels = _numbers(body.get("channels", OUR_CHANNELS))
        others = _numbers(body.get("other_channels", ()))
        location = int(body.get("location_id", self._store.default_location.id))
        return judge(
            self._store.rows(channels, others, location), self._stock(), int(body.get("safety_stock", 0))
        )

    def compare(self, body: dict[str, Any]) -> dict[str, Any]:
        """`channels`: ours by default, `[]` for the whole store; `other_channels`: those of sites beside."""
        pending = self._simulator.lander.pending() + self._simulator.counters.now(HELD_WRITES)
        return compare(self._judge(body), pending, int(body.get("limit", 20)))

    def writes(self, body: dict[str, Any]) -> dict[str, Any]:
        start = int(body.get("start", 0))
        with self._store.lock:
            return {"writes": [write.as_json() for write in self._store.writes[start:]]}

    def forget_writes(self, body: dict[str, Any]) -> None:
        """Starts the judgement of what was touched anew."""
        with self._store.lock:
            self._store.writes.clear()
            for product in self._store.products:
                for owner in self._store.owners(product):
                    owner.writes = 0

    def _owner(self, body: dict[str, Any]) -> Owner:
        if "variant_id" in body:
            return self._store.variants[int(body["variant_id"])]
        return self._store.by_id[int(body["product_id"])]

    def row(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._store.lock:
            owner = self._owner(body)
            return {"sku": owner.sku, "on_hand": owner.on_hand, "writes": owner.writes}

    def set_shop_stock(self, body: dict[str, Any]) -> dict[str, Any]:
        location = int(body.get("location_id", self._store.default_location.id))
        previous = self._store.set_on_hand(self._owner(body), location, int(body["quantity"]))
        return {"previous": previous}

    def sell(self, body: dict[str, Any]) -> dict[str, Any]:
        """A shopper buys `quantity` (1): the shop lowers its own stock."""
        location = int(body.get("location_id", self._store.default_location.id))
        with self._store.lock:
            owner = self._owner(body)
            left = owner.on_hand.get(location, 0) - int(body.get("quantity", 1))
            self._store.set_on_hand(owner, location, left, by_order=True)
        return {"quantity": left}

    def create_product(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{sku, quantity, tracking, channels, id?, variants: [{sku, quantity}]}`; answers with the ids."""
        place = self._store.default_location.id
        number = int(body.get("id", next(self._ids)))
        rows = body.get("variants") or []
        tracking = body.get("tracking", "variant" if rows else "product")
        product = Product(
            id=number,
            name=f"Product {number}",
            sku=body.get("sku", ""),
            tracking=tracking,
            channels=_numbers(body.get("channels", OUR_CHANNELS)),
            is_visible=bool(body.get("is_visible", True)),
            modified=now_text(),
            safety_stock=int(body.get("safety_stock", 0)),
        )
        if rows:
            for position, row in enumerate(rows):
                stock = {place: int(row.get("quantity", 0))}
                name = f"Option {position + 1}"
                product.variants.append(Variant(next(self._ids), number, row.get("sku", ""), name, stock))
        else:
            product.variants.append(Variant(next(self._ids), number, product.sku))
        product.on_hand = {place: int(body.get("quantity", 0))}
        self._store.add(product)
        return {"product_id": number, "variant_ids": [variant.id for variant in product.variants]}

    def create_variant(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{product_id, sku, quantity}`: of a product that has variants with options."""
        product = self._store.by_id[int(body["product_id"])]
        if product.is_simple:
            raise ValueError("a simple product has no options; make it with variants")
        stock = {self._store.default_location.id: int(body.get("quantity", 0))}
        option = f"Option {len(product.variants) + 1}"
        variant = Variant(next(self._ids), product.id, body.get("sku", ""), option, stock)
        self._store.add_variant(variant)
        return {"variant_id": variant.id}

    def change_product(self, body: dict[str, Any]) -> None:
        fields = {name: value for name, value in body.items() if name != "product_id"}
        self._store.change(int(body["product_id"]), **fields)

    def configure(self, body: dict[str, Any]) -> None:
        """quota, window_seconds, headers_on_429, landing (`[min, max]` s), scopes, https_hooks_only,
        webhook_coalesce_seconds, webhook_retry_scale, retry_keeps_timestamp, sign_hooks,
        webhook_timeout_seconds."""
        simulator = self._simulator
        simulator.quota.requests = int(body.get("quota", simulator.quota.requests))
        simulator.quota.window_seconds = float(body.get("window_seconds", simulator.quota.window_seconds))
        simulator.headers_on_429 = bool(body.get("headers_on_429", simulator.headers_on_429))
        if "quota" in body or "window_seconds" in body:
            simulator.quota.forget()
        if "landing" in body:
            simulator.lander.min_seconds, simulator.lander.max_seconds = map(float, body["landing"])
        if "scopes" in body:
            simulator.scopes = frozenset(body["scopes"])
        hooks, sending = simulator.hooks, simulator.sending
        hooks.https_only = bool(body.get("https_hooks_only", hooks.https_only))
        sending.timeout_seconds = float(body.get("webhook_timeout_seconds", sending.timeout_seconds))
        sending.coalesce_seconds = float(body.get("webhook_coalesce_seconds", sending.coalesce_seconds))
        sending.retry_scale = float(body.get("webhook_retry_scale", sending.retry_scale))
        sending.retry_keeps_timestamp = bool(body.get("retry_keeps_timestamp", sending.retry_keeps_timestamp))
        sending.signs = bool(body.get("sign_hooks", sending.signs))

    def locations(self, body: dict[str, Any]) -> dict[str, Any]:
        """Lists them; `locations` (`[{id, code, enabled, is_default}]`) replaces them first."""
        with self._store.lock:
            if "locations" in body:
                self._store.locations[:] = [Location(**location) for location in body["locations"]]
                for product in self._store.products:
                    product.rendered.clear()
            return {
                "locations": [
                    {
                        "id": place.id,
                        "code": place.code,
                        "enabled": place.enabled,
                        "is_default": place.is_default,
                    }
                    for place in self._store.locations
                ]
            }


def _numbers(value: Any) -> tuple[int, ...]:
    """`[1, 2]`, or `1,2` as a query string has it."""
    pieces = value.split(",") if isinstance(value, str) else value
    return tuple(int(piece) for piece in pieces if str(piece).strip())
