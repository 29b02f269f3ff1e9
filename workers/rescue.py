"""What nobody moves any more: what dead workers held, and runs that stall."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from models.database import DatabaseUnavailable, row, rows
from workers import ledger
from workers.attempts import NOTED
from workers.database_errors import retried
from workers.full_sync import steps
from workers.leases import doubt
from workers.turns import SILENT

log = structlog.get_logger()

FOREVER_SECONDS = 1e9
STALLED_SECONDS = 60


def release_stuck(minutes: float | None = None) -> int:
    """Give back jobs whose lease has lapsed, and those that have run longer than `minutes`; gives how many.

    A job that has used up its attempts ends as failed: it may kill each worker that takes it.
    """
    stuck = stuck_for(minutes)
    found = rows(f"SELECT id, attempts >= max_attempts FROM rm_queue WHERE {stuck} ORDER BY id")
    return sum(
        _each(partial(_release, job_id, exhausted, stuck), job_id=job_id) for job_id, exhausted in found
    )


def stuck_for(minutes: float | None) -> str:
    """Which jobs hang, as a condition on rm_queue: the lease has lapsed, or they have run longer than that."""
    seconds = FOREVER_SECONDS if minutes is None else minutes * 60
    return (
        "status = 'processing' AND (lease_expires_at < now()"
        f" OR started_at < now() - make_interval(secs => {seconds:.3f}))"
    )


def release(job_id: int, minutes: float = 0.0) -> bool:
    """Give one job back if it has run longer than `minutes`, or its lease has lapsed. False: it has not.

    Its worker may still be at it: what that one writes from now on counts no more.
    """
    stuck = stuck_for(minutes)
    found = row(f"SELECT attempts >= max_attempts FROM rm_queue WHERE id = %s AND {stuck}", (job_id,))
    return found is not None and bool(_release(job_id, found[0], stuck))


@retried
def _release(job_id: int, exhausted: bool, stuck: str) -> int:
    if exhausted:
        return ledger.end_unheld(job_id, where=stuck, error=_last_words(job_id))
    with ledger.committing():
        found = ledger.to_pending(
            f"""
            UPDATE rm_queue SET status = 'pending', available_at = now(), lease_token = NULL,
                lease_expires_at = NULL, hinted_at = NULL, hint_count = 0, updated_at = now(),
                fold_key = {ledger.FREE_FOLD_KEY}, error = %(error)s, {NOTED}
            WHERE id = %(job)s AND {stuck} RETURNING queue
            """,
            {"error": f"{SILENT}; tried again", "job": job_id},
        )
        if found is None:
            return False
        doubt(job_id)
        ledger.hint_after_commit(found[0])
        return True


def _last_words(job_id: int) -> str:
    """Why it is tried no more, and where a person finds out more."""
    found = row(
        "SELECT attempts, max_attempts, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        " FROM rm_queue WHERE id = %s",
        (job_id,),
    )
    attempts, most, began = found or ("?", "?", "?")
    return (
        f"{SILENT} at attempt {attempts} of {most}, begun at {began} UTC: the job may crash its worker, or need more"
        " memory than that has; the worker's log of that time says more"
    )


def heal() -> int:
    """Open the next step of runs and refreshes that nothing moves any more; gives how many jobs that took.

    Only a fault in our own code could leave one behind; it must not wait for a person.
    """
    return sum(
        _each(partial(_move_on, refresh_id, run_id), run_id=run_id, refresh_id=refresh_id)
        for refresh_id, run_id in _stalled()
    )


@retried
def _move_on(refresh_id: int | None, run_id: int | None) -> int:
    with ledger.committing():
        steps.lock(refresh_id, run_id)
        return len(ledger.insert(steps.advance(refresh_id, run_id)))


def _each(mend: Callable[[], int], **which: int | None) -> int:
    """Mend one; a bad row must not keep the others, or the hints that follow, from being looked at."""
    try:
        return mend()
    except DatabaseUnavailable:
        raise
    except Exception:
        log.exception("it could not be mended", action="rescue", **which)
        return 0


def _stalled() -> list[tuple[int | None, int | None]]:
    """(refresh, run) pairs that are open although nothing will move them."""
    runs = rows(
        """
        SELECT NULL::bigint, r.id FROM rm_sync_runs r LEFT JOIN rm_stock_refreshes f ON f.id = r.refresh_id
        WHERE r.status = 'running' AND r.updated_at < now() - make_interval(secs => %s)
          AND (r.step <> 'stock' OR f.status IN ('completed', 'failed'))
          AND NOT EXISTS (SELECT FROM rm_queue q WHERE q.run_id = r.id AND q.status IN ('pending', 'processing'))
        """,
        (STALLED_SECONDS,),
    )
    refreshes = rows(
        """
        SELECT f.id, NULL::bigint FROM rm_stock_refreshes f
        WHERE f.status IN ('waiting', 'reading') AND f.created_at < now() - make_interval(secs => %s)
          AND NOT EXISTS (SELECT FROM rm_queue q WHERE q.refresh_id = f.id AND q.status IN ('pending', 'processing'))
        """,
        (STALLED_SECONDS,),
    )
    return [(found[0], found[1]) for found in runs + refreshes]
