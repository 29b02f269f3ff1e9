"""What tests ask and tell a shop about the webhooks it sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .base import CONTROL_TIMEOUT, SimulatorHandle

QUIET_SECONDS = 20.0


@dataclass(frozen=True)
class Delivery:
    """An attempt to deliver. `status` is the receiver's answer, or None: then `error` says why."""

    number: int
    hook_id: int
    topic: str  # `ping` for WooCommerce's greeting
    kind: str  # event, ping, emitted or again
    ids: dict[str, int]  # product_id, and variant_id or variation_id
    attempt: int
    status: int | None
    error: str  # `dropped` by the mode; `gone`: the hook was deleted or inactive by then
    seconds: float  # until the answer
    sent_at: float
    url: str
    headers: dict[str, str] = field(default_factory=dict)  # only where all was asked for
    body: str = ""


class WebhookHandle(SimulatorHandle):
    """The part of a shop's handle that is about webhooks."""

    def deliveries(self, *, full: bool = False, start: int = 0, **which: Any) -> list[Delivery]:
        """The last 20,000 attempts, in the order answered. `which`: hook_id, topic, kind."""
        answer = self.control("deliveries", full=full, start=start, **which)
        return [Delivery(**delivery) for delivery in answer["deliveries"]]

    def webhooks_pending(self) -> dict[str, int]:
        """`first`: on their way for the first time; `retry`: waiting for another attempt."""
        pending: dict[str, int] = self.control("deliveries", start=2**60)["pending"]
        return pending

    def deliver_again(self, number: int | None = None, last: int = 1) -> int:
        """Sends one delivery, or the last so many, once more byte for byte; says how many."""
        which = {"last": last} if number is None else {"number": number}
        sent: int = self.control("deliver_again", **which)["sent"]
        return sent

    def webhooks_mode(
        self,
        *,
        duplicate_share: float = 0,
        reorder_share: float = 0,
        drop_share: float = 0,
        delay_seconds: float = 0,
        seed: int = 1,
    ) -> None:
        """Trouble on the way, from now on; without arguments, none."""
        self.control(
            "webhooks_mode",
            duplicate_share=duplicate_share,
            reorder_share=reorder_share,
            drop_share=drop_share,
            delay_seconds=delay_seconds,
            seed=seed,
        )

    def disable_hook(self, hook_id: int) -> None:
        """As the vendor does after too many failures (or 90 idle days on BigCommerce)."""
        self.control("disable_hook", hook_id=hook_id)

    def forget_hooks(self) -> None:
        """No hooks, nothing on its way, no record, no mode: as at the start."""
        self.control("forget_hooks")

    def wait_quiet(self, timeout: float = QUIET_SECONDS, retries: bool = True) -> None:
        """Until no webhook is on its way, nor a write that will cause one; raises ControlError.

        `retries=False` leaves out what failed and waits for another attempt.
        """
        if timeout >= CONTROL_TIMEOUT:
            raise ValueError(f"wait less than {CONTROL_TIMEOUT} s")
        self.control("wait_quiet", timeout=timeout, retries=retries)
