"""Step 4: decide what every row should show (workers/decisions.py), and plan the writes of what differs.

Compares with what the shop SHOWS, not with what was once sent. Uses only stock read since this run's refresh
began: older is unknown, and unknown is never 0.
"""

from __future__ import annotations

import json

from models.database import execute, row, rows, session
from models.site import BIGCOMMERCE, Site
from models.stock import StockRefresh
from models.sync_run import SyncRun
from workers import guard
from workers.decisions import decide
from workers.full_sync import steps
from workers.full_sync.context import load
from workers.full_sync.refresh import CHAINS
from workers.jobs import Done, NewJob, Work
from workers.planning import Planned, plan
from workers.stock_reads import read_stock_of

UNSEEN_SECONDS = 60.0  # how long a transaction may have been under way: PostgreSQL stops longer statements

LATELY_DAYS = 2  # what BC has not told for longer may have been deleted there
_DIFFERING = "shown IS DISTINCT FROM wanted OR unsure"


def compare(work: Work) -> Done:
    """Decide every active row of the site, then plan the writes in the transaction that ends this job."""
    run, site = load(work.claim)
    with session():
        refresh = StockRefresh.get_by_id(run.refresh_id)  # `advance` opens this step only after it
    # After a failed read BC may still be away; what it told before counts all the same.
    if refresh.mode == CHAINS and refresh.status == "completed":
        _ask_for_new_keys(work, site, refresh)
    skipped, unchanged = decide(
        site, since=refresh.read_started_at, stock_is_partial=refresh.status == "failed"
    )

    suspicion = refresh.suspicion or _fewer_keys_came_back(site, refresh)

    def record() -> None:
        planned = _plan(work, run, site, suspicion)
        execute(
            "UPDATE rm_sync_runs SET skipped = skipped || %s, unchanged = %s, to_push = %s, held_reason = %s,"
            " updated_at = now() WHERE id = %s",
            (json.dumps(skipped), unchanged, planned.rows, planned.reason or suspicion, run.id),
        )
        # What an older run set aside is decided anew by this one.
        execute(
            "UPDATE rm_sync_runs SET superseded_by = %s, updated_at = now()"
            " WHERE site_id = %s AND status = 'held' AND superseded_by IS NULL AND id < %s",
            (run.id, site.id, run.id),
        )

    return Done(result={"skipped": skipped, "unchanged": unchanged}, record=record)


def _fewer_keys_came_back(site: Site, refresh: StockRefresh) -> str | None:
    """In chain mode BC's answer is held against what it knew of this site's keys lately."""
    if refresh.mode != CHAINS or refresh.status != "completed":
        return None
    found = row(
        """
        SELECT count(*) FILTER (WHERE s.read_started_at >= %s), count(*) FROM rm_stock s
        WHERE s.company_id = %s AND s.read_started_at >= %s::timestamptz - make_interval(days => %s)
          AND s.key IN (SELECT sku_key FROM rm_items WHERE site_id = %s AND active AND sku_key <> '')
        """,
        (refresh.read_started_at, site.company_id, refresh.read_started_at, LATELY_DAYS, site.id),
    )
    assert found is not None
    return guard.fewer_than_before(*found)


def push_template(run: SyncRun, site: Site, unique_key: str) -> NewJob:
    """What the push jobs of a run have in common."""
    return NewJob(
        kind="stock.push",
        priority=run.priority,
        site_id=site.id,
        run_id=run.id,
        step=steps.PUSH,
        store_key=site.store_key,
        unique_key=unique_key,
        request_id=run.request_id,
    )


def _plan(work: Work, run: SyncRun, site: Site, suspicion: str | None) -> Planned:
    """Insert the push jobs and their rows, in the caller's transaction."""
    template = push_template(run, site, f"run:{run.id}:push")
    return plan(site, template, _DIFFERING, planner=work.claim.id, suspicion=suspicion)


def _ask_for_new_keys(work: Work, site: Site, refresh: StockRefresh) -> None:
    """In chain mode BC was asked for the keys known then: ask for those that the listing brought since.

    A row that was being written while the keys were read bears the time at which its transaction began.
    """
    found = rows(
        """
        SELECT DISTINCT i.sku_key FROM rm_items i
        WHERE i.site_id = %s AND i.active AND i.sku_key <> ''
          AND i.updated_at >= %s - make_interval(secs => %s)
          AND NOT EXISTS (SELECT FROM rm_stock s WHERE s.company_id = %s AND s.key = i.sku_key
                          AND s.read_started_at >= %s)
        """,
        (site.id, refresh.read_started_at, UNSEEN_SECONDS, site.company_id, refresh.read_started_at),
    )
    read_stock_of(work, site.company_id, [key for (key,) in found])


def fewest_push_calls(site: Site, run_id: int) -> int:
    """The fewest calls that can carry the writes of a run: what a report holds the real number against."""
    if site.platform == BIGCOMMERCE:
        found = row("SELECT -(-count(*) / 2000) FROM rm_pushes WHERE run_id = %s", (run_id,))
    else:
        found = row(
            """
            SELECT coalesce(sum((rows_of_call + 99) / 100), 0)::bigint FROM (
                SELECT count(*) AS rows_of_call FROM rm_pushes p JOIN rm_items i ON i.id = p.item_id
                WHERE p.run_id = %s GROUP BY CASE WHEN i.variant_id = 0 THEN 0 ELSE i.product_id END) calls
            """,
            (run_id,),
        )
    assert found is not None
    return int(found[0])
