"""One confirming read, once a store has had its time to show accepted writes.

BigCommerce's 200 means accepted, not shown. A listing that still saw the old figures is neither drift nor a
reason to push; it asks for this read instead, and what differs then is pushed again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from models.database import row, rows, session
from models.site import Site
from workers import clock
from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.connections import site_client
from workers.full_sync import steps
from workers.full_sync.requests import InactiveSite, UnknownSite, request_sync
from workers.jobs import Done, NewJob, Priority, Work
from workers.observations import Observed, record_shop
from workers.wording import numbered

ROWS_A_READ = 1000
# Later than an event's own confirming read, which lowers at once what shows too much: no sync is needed for that.
SETTLE_MARGIN_SECONDS = 3.0


def settle_job(site: Site, run_id: int, sent: int, settle_seconds: float) -> NewJob:
    """The read for what a run saw in flight: once the last of it has settled, which was `sent` (seconds since 1970)."""
    due = sent + settle_seconds + SETTLE_MARGIN_SECONDS
    return NewJob(
        kind="stock.settle",
        priority=Priority.NIGHT,
        payload={"run": run_id},
        site_id=site.id,
        unique_key=f"run:{run_id}:settle",
        delay_seconds=max(due - clock.now().timestamp(), 0.0),
    )


def settle(work: Work) -> Done:
    """Read again what the run saw in flight; ask for a sync where that was no write that came late.

    The write was lost, or somebody has sold or changed what it had set: had the listing known, it had been pushed.
    """
    claim = work.claim
    with session():
        site = Site.get_by_id(claim.site_id)
    lost = 0
    after = 0
    with site_client(site, work) as client:
        while found := _flown(int(claim.payload["run"]), client.settle_seconds, after):
            started = clock.now()
            shown = client.read_stock([item.ref for _, item, _ in found])
            items = [
                ShopItem(item.ref, item.sku, item.name, item.tracking, shown[item.ref])
                for _, item, _ in found
                if item.ref in shown
            ]
            record_shop(site.id, items, started, settle_seconds=client.settle_seconds, listing=False)
            lost += sum(1 for _, item, right in found if item.ref in shown and shown[item.ref] not in right)
            after = found[-1][0]

    def record() -> None:
        if lost:
            with suppress(InactiveSite, UnknownSite):  # paused or deleted meanwhile: nothing to set right
                why = numbered(lost, "accepted write that does not show", "accepted writes that do not show")
                request_sync(site.id, requested_by=why, priority=Priority.NIGHT)

    return Done(result={"lost": lost}, record=record)


def in_flight(observed: Observed) -> dict[str, Any]:
    """What a reading of the shop leaves in its job's result for `settle`: products, and when their write was sent."""
    return {"flying": dict(observed.flying)}


def last_in_flight(run_id: int) -> int | None:
    """When the last write was sent that a run saw in flight (seconds since 1970)."""
    found = row(f"{_FLYING} SELECT max(sent) FROM flying", {"run": run_id})
    return found[0] if found else None


# By what the run's own readings saw, not by what the rows say now: since then an event's reading may have found that
# nothing is in flight there, and have left the difference to the next full sync, which would be tomorrow's.
_FLYING = f"""
    WITH flying AS MATERIALIZED (
        SELECT flying.product::bigint AS product_id, max(flying.sent::bigint) AS sent
        FROM rm_queue q CROSS JOIN jsonb_each_text(q.result -> 'flying') AS flying (product, sent)
        WHERE q.run_id = %(run)s AND q.step IN ('{steps.LIST}', '{steps.CONFIRM}')
        GROUP BY flying.product
    )
"""
# What was written once more since then is another's to confirm.
_FLOWN = f"""
    {_FLYING}
    SELECT i.id, i.product_id, i.variant_id, i.sku, i.name, i.tracking, i.shown, i.sent, i.wanted
    FROM rm_sync_runs r JOIN rm_items i ON i.site_id = r.site_id JOIN flying USING (product_id)
    WHERE r.id = %(run)s AND i.active AND i.wanted IS NOT NULL AND i.id > %(after)s
      AND i.sent_at >= r.list_started_at - make_interval(secs => %(settle)s)
      AND extract(epoch FROM i.sent_at)::bigint <= flying.sent
    ORDER BY i.id LIMIT %(most)s
"""


def _flown(run_id: int, settle_seconds: float, after: int) -> list[tuple[int, ShopItem, list[int]]]:
    """Rows with what they may show: what was sent, or what BC has come to want since."""
    parameters = {"run": run_id, "settle": settle_seconds, "after": after, "most": ROWS_A_READ}
    return [
        (item_id, ShopItem(ItemRef(product, variant), sku, name, Tracking(tracking), shown), right)
        for item_id, product, variant, sku, name, tracking, shown, *right in rows(_FLOWN, parameters)
    ]
