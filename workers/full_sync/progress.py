"""How far a run is, counted from what was done: pages listed, rows decided, calls made."""

from __future__ import annotations

from typing import Any

from models.database import row, rows
from models.fields import utc_text
from models.sync_run import OPEN_STATUSES, SyncRun

_LIVE = """
    SELECT
        (SELECT count(*) FROM rm_queue WHERE run_id = %(run)s AND step = 'list' AND status = 'completed'),
        (SELECT count(*) FROM rm_queue WHERE run_id = %(run)s AND step = 'list'),
        (SELECT count(DISTINCT product_id) FROM rm_sync_pages, unnest(product_ids) AS product_id
         WHERE run_id = %(run)s),
        (SELECT coalesce(sum(calls), 0)::bigint FROM rm_queue
         WHERE run_id = %(run)s OR (%(refresh)s::bigint IS NOT NULL AND refresh_id = %(refresh)s))
"""
_OUTCOMES = """
    SELECT outcome, coalesce(reason, 'failed'), count(*) FROM rm_pushes WHERE run_id = %s GROUP BY 1, 2
"""


def counted(run: SyncRun) -> dict[str, Any]:
    """The figures that are counted from per-item outcomes, as columns of rm_sync_runs.

    items are products, which is what shops count; calls include the refresh's, which sites may share.
    """
    live = row(_LIVE, {"run": run.id, "refresh": run.refresh_id})
    assert live is not None
    pages_done, pages_known, items_done, calls = live
    outcomes = rows(_OUTCOMES, (run.id,))
    already = sum(number for outcome, _, number in outcomes if outcome == "unchanged")
    return {
        "pages_done": pages_done,
        "pages_total": max(pages_known, run.pages_total or 0) if run.pages_total is not None else None,
        "items_done": items_done,
        "pushed": sum(number for outcome, _, number in outcomes if outcome == "pushed"),
        "unchanged": run.unchanged + already,
        "failed": {reason: number for outcome, reason, number in outcomes if outcome == "failed"},
        "calls": calls,
    }


def figures(run: SyncRun) -> dict[str, Any]:
    """A run as the API and the command line show it, with live figures while it is open."""
    live = counted(run) if run.status in OPEN_STATUSES else {}
    shown = {
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
        "deactivated": run.deactivated,
        "calls": run.calls,
        "fewest_calls": run.fewest_calls,
        "requested_by": run.requested_by,
        "created_at": utc_text(run.created_at),
        "started_at": utc_text(run.started_at),
        "finished_at": utc_text(run.finished_at),
        "error": run.error,
    }
    return shown | live
