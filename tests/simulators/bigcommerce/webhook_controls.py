"""What tests may do to a BigCommerce store's hooks behind its API's back."""

from __future__ import annotations

from typing import Any

from ..fault_actions import HELD_WRITES
from ..webhooks.controls import WebhookControls
from . import events
from .sending import LATE_SECONDS
from .simulator import BigCommerceSimulator


class BigCommerceWebhookControls:
    """Adds the actions to the simulator's control panel."""

    def __init__(self, simulator: BigCommerceSimulator) -> None:
        self._simulator = simulator
        WebhookControls(simulator.control, simulator.sending.courier, simulator.hooks, self._elsewhere)
        simulator.control.add(
            hooks=lambda body: {"hooks": list(simulator.hooks.hooks.values())},
            add_hook=self.add_hook,
            disable_hook=self.disable_hook,
            emit=self.emit,
        )

    def _elsewhere(self) -> int:
        return self._simulator.lander.pending() + self._simulator.counters.now(HELD_WRITES)

    def add_hook(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{scope, destination, headers?}`, as its own token would, without a call."""
        return self._simulator.hooks.add(body, self._simulator.identity.access_token)

    def disable_hook(self, body: dict[str, Any]) -> dict[str, Any]:
        """Deactivates `hook_id`, as after its last retry or 90 idle days."""
        hook = self._simulator.hooks.deactivate(int(body["hook_id"]))
        if hook is None:
            raise KeyError(f"no hook {body['hook_id']}")
        return hook

    def emit(self, body: dict[str, Any]) -> dict[str, int]:
        """`{topic, product_id?, variant_id?, value?, data?, hook_id?, late?}`: now, whatever happened.

        `late` (true, or seconds) sets its time back; `data` goes out as it stands.
        """
        late = body.get("late", 0)
        seconds = LATE_SECONDS if late is True else float(late)
        data = body.get("data") or self._data(str(body["topic"]), body)
        hook_id = body.get("hook_id")
        told = self._simulator.sending.emit(
            str(body["topic"]), data, seconds, int(hook_id) if hook_id is not None else None
        )
        return {"hooks": told}

    def _data(self, scope: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the event would say of a product or variant, of this store or not."""
        if scope.startswith("store/channel/"):
            return {"product_id": int(body["product_id"])}
        resource = "sku" if scope.startswith("store/sku/") else "product"
        number, ids = int(body.get("product_id", 0)), {}
        if resource == "sku":
            variant_id = int(body["variant_id"])
            variant = self._simulator.store.variants.get(variant_id)
            number = variant.product_id if variant else number
            ids = {"product_id": number, "variant_id": variant_id}
            number = variant_id + events.SKU_ID_OFFSET
        data: dict[str, Any] = {"type": resource, "id": number}
        if "/inventory/" in scope:
            stock = {"method": "absolute", "value": int(body.get("value", 0))}
            data["inventory"] = {"product_id": number, **stock, **ids}
        elif ids:
            data["sku"] = ids
        return data
