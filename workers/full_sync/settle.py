"""One confirming read, once a store has had its time to show accepted writes.

BigCommerce's 200 means accepted, not shown. A listing that still saw the old figures is neither drift nor a
reason to push; it asks for this read instead, and what differs then is pushed again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from models.database import rows, session
from models.site import Site
from workers import clock
from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.connections import site_client
from workers.full_sync.requests import InactiveSite, UnknownSite, request_sync
from workers.jobs import Done, NewJob, Priority, Work
from workers.observations import record_shop

ROWS_A_READ = 1000
SETTLE_MARGIN_SECONDS = 1.0


def settle_job(site: Site, run_id: int, settle_seconds: float) -> NewJob:
    """The read for what a run saw in flight: not before the last write has settled."""
    return NewJob(
        kind="stock.settle",
        priority=Priority.NIGHT,
        payload={"run": run_id},
        site_id=site.id,
        unique_key=f"run:{run_id}:settle",
        delay_seconds=settle_seconds + SETTLE_MARGIN_SECONDS,
    )


def settle(work: Work) -> Done:
    """Read again what was written shortly before the run listed; ask for a sync where a write was lost."""
    claim = work.claim
    with session():
        site = Site.get_by_id(claim.site_id)
    lost = 0
    after = 0
    with site_client(site, work) as client:
        while found := _written(int(claim.payload["run"]), client.settle_seconds, after):
            started = clock.now()
            shown = client.read_stock([item.ref for _, item, _ in found])
            items = [
                ShopItem(item.ref, item.sku, item.name, item.tracking, shown[item.ref])
                for _, item, _ in found
                if item.ref in shown
            ]
            record_shop(site.id, items, started, settle_seconds=client.settle_seconds, listing=False)
            lost += sum(1 for _, item, sent in found if item.ref in shown and shown[item.ref] != sent)
            after = found[-1][0]

    def record() -> None:
        if lost:
            with suppress(InactiveSite, UnknownSite):  # paused or deleted meanwhile: nothing to set right
                request_sync(
                    site.id, requested_by=f"{lost} accepted writes that did not show", priority=Priority.NIGHT
                )

    return Done(result={"lost": lost}, record=record)


def _written(run_id: int, settle_seconds: float, after: int) -> list[tuple[int, ShopItem, Any]]:
    found = rows(
        """
        SELECT i.id, i.product_id, i.variant_id, i.sku, i.name, i.tracking, i.shown, i.sent
        FROM rm_items i JOIN rm_sync_runs r ON r.site_id = i.site_id
        WHERE r.id = %s AND i.active AND i.id > %s AND i.shown = i.sent
          AND i.sent_at BETWEEN r.list_started_at - make_interval(secs => %s) AND r.finished_at
        ORDER BY i.id LIMIT %s
        """,
        (run_id, after, settle_seconds, ROWS_A_READ),
    )
    return [
        (item_id, ShopItem(ItemRef(product, variant), sku, name, Tracking(tracking), shown), sent)
        for item_id, product, variant, sku, name, tracking, shown, sent in found
    ]
