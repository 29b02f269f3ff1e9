"""What is owed after a fault, counted: lost deliveries, wrong rows, needless writes, time until all was right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.database import row, rows
from tests.flood import Answered
from tests.simulators.handles import ShopHandle

RECOVERY_SECONDS = 60.0
"""From the fault's end, or from the end of the vendor's Retry-After where that is later."""
EVERY_SECONDS = 0.5
PATIENCE = 4  # how often the promised time is waited for before we give up, so that a failure says how far off it was


@dataclass(frozen=True)
class Reckoning:
    """lost: accepted deliveries without their effect. duplicated: writes of what the shop was just sent already."""

    lost: int
    wrong: int
    duplicated: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"lost {self.lost}, wrong {self.wrong}, duplicated pushes {self.duplicated}, "
            f"all right {self.seconds:.1f} s after the fault's end"
        )


def reckon(
    name: str,
    shops: Sequence[ShopHandle],
    *,
    since: float,
    answers: Sequence[Answered] = (),
    within: float = RECOVERY_SECONDS,
) -> Reckoning:
    """Wait until all is right by itself, print what it cost, and demand that nothing was lost and time was kept.

    since: time.monotonic() of the fault's end. answers: the deliveries that were sent meanwhile, if any.
    """
    while not (idle := _nothing_open()) or _wrong(shops):
        if time.monotonic() - since > within * PATIENCE:
            break
        time.sleep(EVERY_SECONDS)
    seconds = time.monotonic() - since
    found = Reckoning(len(lost(answers)), _wrong(shops), sum(map(duplicated, shops)), seconds)
    print(f"{name}: {found}", flush=True)  # noqa: T201 - `make soak` shows it
    assert idle, rows(
        "SELECT id, kind, status, attempts, error FROM rm_queue WHERE status IN ('pending', 'processing') LIMIT 20"
    )
    assert (found.lost, found.wrong) == (0, 0), (
        lost(answers)[:5],
        [shop.compare(limit=3) for shop in shops],
    )
    assert {shop.name: shop.violations() for shop in shops if shop.violations()} == {}
    assert seconds <= within, f"{name}: {found}, but {within:.0f} s were promised"
    return found


def lost(answers: Sequence[Answered]) -> list[Any]:
    """Deliveries that got a 200 but are not in the log exactly once, or whose product was not read after them.

    A vendor that got no answer sends once more: what is logged as a duplicate stands for nothing by itself.
    """
    accepted = [answer.delivery.key for answer in answers if answer.status == 200]
    logged = Counter(
        key
        for (key,) in rows(
            "SELECT coalesce(delivery_key, request_id) FROM rm_webhook_log WHERE status <> 'duplicate'"
        )
    )
    unread = rows(
        """
        SELECT coalesce(l.delivery_key, l.request_id), l.status, l.error_message, l.received_at::text
        FROM rm_webhook_log l
        WHERE l.status <> 'duplicate' AND (l.status <> 'completed' OR NOT EXISTS (
            SELECT FROM rm_items i WHERE i.site_id = l.site_id AND i.product_id = l.product_id
              AND i.observed_at >= l.received_at))
        """
    )
    return [key for key in accepted if logged[key] != 1] + (unread if answers else [])


def duplicated(shop: ShopHandle) -> int:
    """How many writes gave a row the quantity that the write before had given it already."""
    number, last = 0, dict[tuple[Any, ...], int]()
    for write in shop.writes():
        target = (write["product_id"], write.get("variant_id"), write.get("variation_id"))
        number += last.get(target) == write["quantity"]
        last[target] = write["quantity"]
    return number


def _nothing_open() -> bool:
    return row(
        """
        SELECT NOT EXISTS (SELECT FROM rm_queue WHERE status IN ('pending', 'processing'))
           AND NOT EXISTS (SELECT FROM rm_sync_runs WHERE status IN ('queued', 'running'))
           AND NOT EXISTS (SELECT FROM rm_webhook_log WHERE status = 'received')
           AND NOT EXISTS (SELECT FROM rm_pushes WHERE outcome IN ('planned', 'sending', 'unsure'))
           AND NOT EXISTS (SELECT FROM rm_items WHERE unsure)
        """
    ) == (True,)


def _wrong(shops: Sequence[ShopHandle]) -> int:
    # What has not landed yet is not right yet.
    compared = [shop.compare() for shop in shops]
    return sum(found.wrong + found.touched + found.pending_writes for found in compared)
