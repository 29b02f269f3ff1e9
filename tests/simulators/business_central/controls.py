"""What tests may do to Business Central behind its API's back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .simulator import BusinessCentralSimulator


class BusinessCentralControls:
    """Adds the actions to the simulator's control panel."""

    def __init__(self, simulator: BusinessCentralSimulator) -> None:
        self._simulator, self._store = simulator, simulator.store
        simulator.control.add(
            set_stock=self.set_stock,
            stock=self.stock,
            add_item=self.add_item,
            remove_item=lambda body: self._store.remove(body["number"]),
            change_item=lambda body: self._store.change(
                body["number"], **{name: value for name, value in body.items() if name != "number"}
            ),
            revoke_tokens=lambda body: simulator.oauth.revoke(),
            spend=lambda body: simulator.limits.spend(int(body["requests"]), float(body["seconds_ago"])),
            configure=self.configure,
        )

    def set_stock(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{stock: {number: inventory}, commit_after_ms?}`: one ledger entry each."""
        delay = float(body.get("commit_after_ms", 0)) / 1000
        numbers = [
            self._store.set_stock(number, Decimal(str(inventory)), delay)
            for number, inventory in body["stock"].items()
        ]
        return {"entry_numbers": numbers}

    def stock(self, body: dict[str, Any]) -> dict[str, Any]:
        """All items, or those of `numbers`: `{number: [type, inventory as text]}`."""
        stock = self._store.stock()
        wanted = body.get("numbers", stock)
        return {"stock": {n: [stock[n][0], format(stock[n][1], "f")] for n in wanted if n in stock}}

    def add_item(self, body: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in body.items() if name not in ("number", "inventory")}
        item = self._store.add(body["number"], Decimal(str(body.get("inventory", 0))), **fields)
        return {"id": item.id}

    def configure(self, body: dict[str, Any]) -> None:
        """token_ttl, secret_expired, max_page_size, retry_after_on_429, permitted, and the limits by name."""
        simulator = self._simulator
        simulator.oauth.ttl = float(body.get("token_ttl", simulator.oauth.ttl))
        simulator.oauth.secret_expired = bool(body.get("secret_expired", simulator.oauth.secret_expired))
        simulator.max_page_size = int(body.get("max_page_size", simulator.max_page_size))
        simulator.retry_after_on_429 = bool(body.get("retry_after_on_429", simulator.retry_after_on_429))
        simulator.permitted = bool(body.get("permitted", simulator.permitted))
        limits = simulator.limits
        limits.at_once = int(body.get("at_once", limits.at_once))
        limits.queued = int(body.get("queued", limits.queued))
        limits.window_requests = int(body.get("window_requests", limits.window_requests))
        limits.window_seconds = float(body.get("window_seconds", limits.window_seconds))
        if "window_requests" in body or "window_seconds" in body:
            limits.forget()
