"""What tests may do to a WooCommerce shop's webhooks behind its API's back."""

from __future__ import annotations

import time
from typing import Any

from ..fault_actions import HELD_WRITES
from ..webhooks.controls import WebhookControls
from .simulator import WooCommerceSimulator


class WooCommerceWebhookControls:
    """Adds the actions to the simulator's control panel."""

    def __init__(self, simulator: WooCommerceSimulator) -> None:
        self._simulator = simulator
        WebhookControls(simulator.control, simulator.sending.courier, simulator.webhooks, self._elsewhere)
        simulator.control.add(
            webhooks=lambda body: {"webhooks": simulator.webhooks.described()},
            add_hook=self.add_hook,
            disable_hook=self.disable_hook,
            emit=self.emit,
        )

    def _elsewhere(self) -> int:
        return self._simulator.counters.now(HELD_WRITES)

    def add_hook(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{topic, delivery_url, secret}`, as an admin would in the shop's settings; it is pinged, too."""
        return self._simulator.webhooks.add(body, time.time())

    def disable_hook(self, body: dict[str, Any]) -> None:
        """Disables `hook_id`, as its 7th failure in a row would; the count stays."""
        self._simulator.webhooks.disable(int(body["hook_id"]))

    def emit(self, body: dict[str, Any]) -> dict[str, int]:
        """`{topic, product_id | variation_id, hook_id?}`: now, whatever happened, of a post that may be gone."""
        if body.get("late"):
            raise ValueError("WooCommerce signs no time, so nothing can be late")
        number = int(body.get("variation_id") or body["product_id"])
        hook_id = body.get("hook_id")
        told = self._simulator.sending.emit(
            str(body["topic"]), number, int(hook_id) if hook_id is not None else None
        )
        return {"hooks": told}
