"""Step 2: read the shop page by page, many pages at once, and write what differs from what we knew."""

from __future__ import annotations

from models.database import execute
from workers import clock
from workers.connections import site_client
from workers.full_sync import steps
from workers.full_sync.context import load
from workers.full_sync.settle import in_flight
from workers.jobs import Done, Work
from workers.observations import record_shop


def list_page(work: Work) -> Done:
    """Read one page; the pages that it made known are inserted by the transaction that completes this one."""
    claim = work.claim
    run, site = load(claim)
    started = clock.now()
    with site_client(site, work) as client:
        page = client.list_page(claim.payload["cursor"])
        settle = client.settle_seconds
    observed = record_shop(site.id, page.items, started, settle_seconds=settle, listing=True)

    def record() -> None:
        execute(
            """
            INSERT INTO rm_sync_pages (run_id, job_id, product_ids, variant_ids, total)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (run_id, job_id) DO NOTHING
            """,
            (
                run.id,
                claim.id,
                [ref.product_id for ref in page.seen],
                [ref.variant_id for ref in page.seen],
                page.total,
            ),
        )

    more = [
        steps.list_job(run.id, site.id, run.priority, dict(cursor), claim.request_id) for cursor in page.more
    ]
    return Done(jobs=more, result={"changed": observed.changed, **in_flight(observed)}, record=record)
