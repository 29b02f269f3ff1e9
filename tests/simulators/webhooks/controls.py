"""The control actions on webhooks that both kinds of shop share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from ..control import ControlPanel
from .courier import Courier
from .mode import Mode

QUIET_SECONDS = 20.0  # how long `wait_quiet` waits unless told otherwise; below a control call's time-out
POLL_SECONDS = 0.02


class Hooks(Protocol):
    """The vendor's hooks."""

    def forget(self) -> None: ...


class WebhookControls:
    """Adds them. `elsewhere` counts what is not an event yet and will be one: writes that have not landed."""

    def __init__(
        self, panel: ControlPanel, courier: Courier, hooks: Hooks, elsewhere: Callable[[], int]
    ) -> None:
        self._courier, self._hooks, self._elsewhere = courier, hooks, elsewhere
        panel.add(
            deliveries=self.deliveries,
            deliver_again=self.deliver_again,
            webhooks_mode=self.mode,
            wait_quiet=self.wait_quiet,
            forget_hooks=self.forget_hooks,
        )

    def deliveries(self, body: dict[str, Any]) -> dict[str, Any]:
        """`start` (a number), `hook_id`, `topic`, `kind` choose; `full` adds headers and bodies."""
        start, wanted = int(body.get("start", 0)), {}
        for name in ("hook_id", "topic", "kind"):
            if name in body:
                wanted[name] = body[name]
        found = [
            delivery.as_json(bool(body.get("full", False)))
            for delivery in self._courier.deliveries()
            if delivery.number >= start and all(getattr(delivery, n) == v for n, v in wanted.items())
        ]
        return {"deliveries": found, "pending": self._courier.pending()}

    def deliver_again(self, body: dict[str, Any]) -> dict[str, int]:
        """Copies of the delivery `number`, or of the `last` so many (1) that were sent and are no copies."""
        record = [d for d in self._courier.deliveries() if d.request is not None and d.error != "dropped"]
        if "number" in body:
            chosen = [delivery for delivery in record if delivery.number == int(body["number"])]
            if not chosen:
                raise KeyError(f"no delivery {body['number']} was sent, or it is no longer kept")
        else:
            chosen = [d for d in record if d.kind != "again"][-int(body.get("last", 1)) :]
        return {"sent": self._courier.again(chosen)}

    def mode(self, body: dict[str, Any]) -> None:
        """Replaces the mode: duplicate_share, reorder_share, drop_share, delay_seconds, seed; `{}` ends it."""
        self._courier.mode = Mode(**body)

    def wait_quiet(self, body: dict[str, Any]) -> dict[str, int]:
        """Until nothing is on its way. `retries: false` leaves out what waits for another attempt."""
        end = time.monotonic() + float(body.get("timeout", QUIET_SECONDS))
        with_retries = body.get("retries", True)
        while True:
            to_come = self._elsewhere()  # first: what lands becomes pending before it stops being to come
            pending = self._courier.pending()
            if not to_come and not pending["first"] and not (with_retries and pending["retry"]):
                return pending
            if time.monotonic() > end:
                raise TimeoutError(f"webhooks pending: {pending}; writes that have not landed: {to_come}")
            time.sleep(POLL_SECONDS)

    def forget_hooks(self, body: dict[str, Any]) -> None:
        """No hooks, nothing on its way, no record, no mode: as at the start."""
        self._hooks.forget()
        self._courier.forget()
        end = time.monotonic() + QUIET_SECONDS
        while self._courier.pending()["first"] and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        self._courier.forget()
