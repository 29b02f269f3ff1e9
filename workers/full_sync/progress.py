"""How far a run is, counted from what was done: pages listed, rows decided, calls made."""

from __future__ import annotations

import json
from typing import Any

from models.database import execute, row, rows
from models.fields import utc_text
from models.sync_run import OPEN_STATUSES, SyncRun

LISTING = ("start", "list")  # steps during which the number of pages and products is not yet known
_LIVE = """
    SELECT
        (SELECT count(*) FROM rm_queue WHERE run_id = %(run)s AND step = 'list' AND status = 'completed'),
        (SELECT count(*) FROM rm_queue WHERE run_id = %(run)s AND step = 'list'),
        (SELECT count(DISTINCT product_id) FROM rm_sync_pages, unnest(product_ids) AS product_id
         WHERE run_id = %(run)s),
        (SELECT coalesce(sum(calls), 0)::bigint FROM rm_queue
         WHERE run_id = %(run)s OR (%(refresh)s::bigint IS NOT NULL AND refresh_id = %(refresh)s)),
        (SELECT (result ->> 'unchanged')::bigint FROM rm_queue WHERE unique_key = %(compare)s)
"""
_OUTCOMES = """
    SELECT outcome, coalesce(reason, 'failed'), count(*) FROM rm_pushes WHERE run_id = %s GROUP BY 1, 2
"""


def counted(run: SyncRun) -> dict[str, Any]:
    """The figures that are counted from what was done, as columns of rm_sync_runs; the same however often.

    items are products, which is what shops count; calls include the refresh's, which sites may share.
    to_push: rows that need a write; one that turns out to need none goes over to `unchanged`. held: rows that
    the guard set aside.
    """
    live = row(_LIVE, {"run": run.id, "refresh": run.refresh_id, "compare": f"run:{run.id}:compare"})
    assert live is not None
    pages_done, pages_known, items_done, calls, right = live
    outcomes = rows(_OUTCOMES, (run.id,))
    already = sum(number for outcome, _, number in outcomes if outcome == "unchanged")
    pages_total, items_total = run.pages_total, run.items_total
    if run.step in LISTING:
        pages_total = None if pages_total is None else max(pages_known, pages_total)
    else:
        # What the shop said at the start was a guess: products have come and gone since.
        pages_total = pages_known
        items_total = items_done if pages_done == pages_known else items_total
    return {
        "pages_done": pages_done,
        "pages_total": pages_total,
        "items_done": items_done,
        "items_total": items_total,
        "to_push": sum(number for outcome, _, number in outcomes if outcome not in ("unchanged", "held")),
        "held": sum(number for outcome, _, number in outcomes if outcome == "held"),
        "pushed": sum(number for outcome, _, number in outcomes if outcome == "pushed"),
        "unchanged": (right or 0) + already,
        "failed": {reason: number for outcome, reason, number in outcomes if outcome == "failed"},
        "calls": calls,
    }


def keep(run_id: int, counts: dict[str, Any]) -> None:
    """Store what `counted` gave, in the transaction that ends the run."""
    columns = {**counts, "failed": json.dumps(counts["failed"])}
    assignments = ", ".join(f"{name} = %({name})s" for name in columns)
    execute(f"UPDATE rm_sync_runs SET {assignments} WHERE id = %(run)s", {**columns, "run": run_id})


def figures(run: SyncRun) -> dict[str, Any]:
    """A run as the API and the command line show it, with live figures while it is open."""
    return stored(run) | (counted(run) if run.status in OPEN_STATUSES else {})


def stored(run: SyncRun) -> dict[str, Any]:
    """The same without counting: of an open run most of it is what was known at its last step."""
    return {
        "id": run.id,
        "site_id": run.site_id,
        "status": run.status,
        "step": run.step,
        "pages_done": run.pages_done,
        "pages_total": run.pages_total,
        "items_done": run.items_done,
        "items_total": run.items_total,
        "to_push": run.to_push,
        "pushed": run.pushed,
        "unchanged": run.unchanged,
        "skipped": run.skipped,
        "failed": run.failed,
        "held": run.held,
        "superseded_by": run.superseded_by,
        "deactivated": run.deactivated,
        "calls": run.calls,
        "fewest_calls": run.fewest_calls,
        "requested_by": run.requested_by,
        "created_at": utc_text(run.created_at),
        "started_at": utc_text(run.started_at),
        "finished_at": utc_text(run.finished_at),
        "error": run.error,
    }
