"""What both kinds of shop share."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .webhooks import WebhookHandle


@dataclass(frozen=True)
class Comparison:
    """The shop against the truth. `correct` is what a finished sync must reach."""

    rows: int
    right: int
    wrong: int
    left_alone: int
    touched: int  # rows that had to be left alone and were written
    untouched_reasons: dict[str, int]
    pending_writes: int  # accepted, not landed yet
    wrong_rows: list[dict[str, Any]]
    touched_rows: list[dict[str, Any]]

    @property
    def correct(self) -> bool:
        return not (self.wrong or self.touched or self.pending_writes)


class ShopHandle(WebhookHandle):
    """What both kinds of shop share: rows that can be compared with the truth."""

    def compare(self, **site: Any) -> Comparison:
        """The shop against BC as it stands.

        `site`: safety_stock, limit; for BigCommerce also channels, other_channels, location_id.
        """
        return Comparison(**self.control("compare", **site))

    def truth(self, **site: Any) -> list[dict[str, Any]]:
        """Each row: its ids, sku, key, expected (None: untouched), reasons, shown, writes."""
        rows: list[dict[str, Any]] = self.control("truth", **site)["rows"]
        return rows

    def wait_until_landed(self, timeout: float = 30.0, **site: Any) -> Comparison:
        """The comparison once no write is pending any more, or at the timeout."""
        end = time.monotonic() + timeout
        while True:
            comparison = self.compare(**site)
            if not comparison.pending_writes or time.monotonic() > end:
                return comparison
            time.sleep(0.2)

    def writes(self, start: int = 0) -> list[dict[str, Any]]:
        """Stock writes in the order accepted: ids, quantity, previous, received_at, landed_at."""
        writes: list[dict[str, Any]] = self.control("writes", start=start)["writes"]
        return writes

    def forget_writes(self) -> None:
        self.control("forget_writes")
