"""Release: a person has looked at what a run set aside, and lets it go. Read again first: time has passed."""

from __future__ import annotations

from models.database import execute, row, rows, transaction
from models.site import Site
from models.sync_run import SyncRun
from workers import clock, ledger
from workers.connections import site_client
from workers.database_errors import retried
from workers.decisions import decide
from workers.errors import Conflict
from workers.full_sync import steps
from workers.full_sync.compare import push_template
from workers.full_sync.confirm import PRODUCTS_A_READ
from workers.full_sync.context import load
from workers.full_sync.requests import UnknownRun
from workers.jobs import Done, NewJob, Priority, Work
from workers.observations import batched, record_gone, record_shop
from workers.planning import plan
from workers.stock_reads import read_stock_of

_HELD = """
    SELECT i.id, i.product_id, i.sku_key FROM rm_pushes p JOIN rm_items i ON i.id = p.item_id
    WHERE p.run_id = %s AND p.outcome = 'held' AND i.active ORDER BY i.product_id, i.id
"""


@retried
def release_run(run_id: int, *, requested_by: str, request_id: str | None = None) -> SyncRun:
    """Let a held run go on with the SKUs that it set aside, and only with them.

    Raises UnknownRun, Conflict (`not_held`, `superseded`, `sync_running`).
    """
    with ledger.committing():
        owner = row("SELECT refresh_id FROM rm_sync_runs WHERE id = %s", (run_id,))
        if owner is None:
            raise UnknownRun(f"no sync run has the id {run_id}")
        steps.lock(owner[0], run_id)
        run = SyncRun.get_by_id(run_id)
        _demand_releasable(run)
        execute(
            """
            UPDATE rm_sync_runs SET status = 'running', step = %s, error = NULL, held_reason = NULL,
                finished_at = NULL, released_at = now(), released_by = %s, priority = %s, updated_at = now()
            WHERE id = %s
            """,
            (steps.RELEASE, requested_by, int(Priority.PERSON), run_id),
        )
        job = NewJob(
            kind="sync.release",
            priority=Priority.PERSON,
            site_id=run.site_id,
            run_id=run_id,
            step=steps.RELEASE,
            unique_key=f"run:{run_id}:release",
            request_id=request_id,
        )
        ledger.insert([job])
        return SyncRun.get_by_id(run_id)


def _demand_releasable(run: SyncRun) -> None:
    if run.superseded_by is not None:
        raise Conflict("superseded", f"run {run.superseded_by} has decided anew since: look at that one")
    if run.status != "held":
        raise Conflict("not_held", f"the run is {run.status}, not held")
    other = row("SELECT id FROM rm_sync_runs WHERE site_id = %s AND status = 'running'", (run.site_id,))
    if other is not None:
        raise Conflict("sync_running", f"run {other[0]} of this site decides anew just now: wait for its end")


def release(work: Work) -> Done:
    """Read what was set aside again, at both ends, and plan what still has to be written."""
    run, site = load(work.claim)
    held = rows(_HELD, (run.id,))
    item_ids = [item_id for item_id, _, _ in held]
    since = clock.now()
    if held:
        _read_again(
            work, site, sorted({product for _, product, _ in held}), sorted({key for *_, key in held})
        )
        decide(site, since=since, stock_is_partial=False, item_ids=item_ids)

    def record() -> None:
        execute("DELETE FROM rm_pushes WHERE run_id = %s AND outcome = 'held'", (run.id,))
        _trust_the_answer(run, site)
        template = push_template(run, site, f"run:{run.id}:push:released")
        plan(
            site,
            template,
            "id = ANY (%(items)s) AND shown IS DISTINCT FROM wanted",
            {"items": item_ids},
            planner=work.claim.id,
            guarded=False,
        )

    return Done(result={"released": len(item_ids)}, record=record)


def _read_again(work: Work, site: Site, product_ids: list[int], keys: list[str]) -> None:
    with site_client(site, work) as client:
        for batch in batched(product_ids, PRODUCTS_A_READ):
            started = clock.now()
            read = client.read_products(batch)
            record_shop(site.id, read.items, started, settle_seconds=client.settle_seconds, listing=False)
            record_gone(site.id, batch, [item.ref for item in read.items], started)
    read_stock_of(work, site.company_id, [key for key in keys if key])


def _trust_the_answer(run: SyncRun, site: Site) -> None:
    """BC's smaller answer was looked at: the next one is held against it."""
    execute(
        """
        UPDATE rm_companies c SET item_count = f.rows_read FROM rm_stock_refreshes f
        WHERE f.id = %s AND f.suspicion IS NOT NULL AND f.mode = 'scan' AND c.id = f.company_id
        """,
        (run.refresh_id,),
    )
    execute(
        """
        DELETE FROM rm_stock s USING rm_stock_refreshes f
        WHERE f.id = %s AND s.company_id = f.company_id AND s.read_started_at < f.read_started_at
          AND s.key IN (SELECT sku_key FROM rm_items WHERE site_id = %s AND active)
        """,
        (run.refresh_id, site.id),
    )


def would_fall(run_id: int, most: int) -> tuple[int, list[tuple[str, int]]]:
    """How many SKUs a held run set aside, and the first of them: (SKU, what the shop shows now)."""
    with transaction():
        number = row("SELECT count(*) FROM rm_pushes WHERE run_id = %s AND outcome = 'held'", (run_id,))
        first = rows(
            "SELECT i.sku, i.shown FROM rm_pushes p JOIN rm_items i ON i.id = p.item_id"
            " WHERE p.run_id = %s AND p.outcome = 'held' ORDER BY i.shown DESC, i.id LIMIT %s",
            (run_id, most),
        )
    return int(number[0]) if number else 0, [(sku, shown) for sku, shown in first]
