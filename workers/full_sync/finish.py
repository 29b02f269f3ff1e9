"""Step 6: count what became of every item, say how the run ended, and let the next one begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.database import execute, row, rows
from models.site import Site
from models.sync_run import SyncRun
from workers import ledger, metrics
from workers.connections import site_client
from workers.full_sync import progress, steps
from workers.full_sync.compare import fewest_push_calls
from workers.full_sync.context import load
from workers.full_sync.settle import last_in_flight, settle_job
from workers.jobs import Done, NewJob, Work


@dataclass(frozen=True, slots=True)
class _Ended:
    status: str
    error: str | None


def finish(work: Work) -> Done:
    """Write the run's last figures; all in the transaction that ends the run."""
    run, site = load(work.claim)
    ended = _how_it_ended(run)
    figures = progress.counted(run)
    fewest = _fewest_calls(run, site)

    confirming = _confirming_read(work, run, site)

    def record() -> None:
        changed = execute(
            "UPDATE rm_sync_runs SET status = %s, error = %s, fewest_calls = %s,"
            " finished_at = clock_timestamp(), updated_at = now() WHERE id = %s AND status = 'running'",
            (ended.status, ended.error, fewest, run.id),
        )
        if not changed:  # cancelled at this very moment: it stays so
            return
        progress.keep(run.id, figures)
        _count(ended.status, figures)
        ledger.insert(confirming)
        if ended.status == "completed":
            execute("UPDATE rm_sites SET last_synced_at = now() WHERE id = %s", (site.id,))
        if ended.status != "held":  # a released run is counted once more
            execute("DELETE FROM rm_sync_pages WHERE run_id = %s", (run.id,))
        ledger.insert(steps.follow_up(site.id))

    return Done(record=record)


def _count(status: str, figures: Mapping[str, Any]) -> None:
    metrics.runs.labels(status).inc()
    for outcome in ("pushed", "unchanged", "skipped", "failed"):
        number = figures.get(outcome, 0)
        metrics.items.labels(outcome).inc(sum(number.values()) if isinstance(number, Mapping) else number)


def _how_it_ended(run: SyncRun) -> _Ended:
    """failed: a list page, BC's read, a planning step or a whole push step failed; held: the guard; else completed."""
    found = rows(
        """
        SELECT step, min(error), count(*), count(*) FILTER (WHERE status = 'failed')
        FROM rm_queue WHERE run_id = %s GROUP BY step HAVING count(*) FILTER (WHERE status = 'failed') > 0
        """,
        (run.id,),
    )
    failures = {step: (error, jobs == failed) for step, error, jobs, failed in found}
    for step, said in (
        (steps.START, "the shop could not be read"),
        (steps.LIST, "a page of the shop could not be read"),
        (steps.CONFIRM, "missing products could not be read again"),
        (steps.COMPARE, "the comparison failed"),
    ):
        if step in failures:
            return _Ended("failed", f"{said}: {failures[step][0]}")
    refresh = row("SELECT status, error FROM rm_stock_refreshes WHERE id = %s", (run.refresh_id,))
    if refresh is not None and refresh[0] == "failed":
        return _Ended("failed", f"Business Central could not be read: {refresh[1]}")
    if steps.PUSH in failures and failures[steps.PUSH][1]:
        some = row("SELECT 1 FROM rm_pushes WHERE run_id = %s AND outcome = 'pushed' LIMIT 1", (run.id,))
        said = "not all writes went through" if some else "no write went through"
        return _Ended("failed", f"{said}: {failures[steps.PUSH][0]}")
    if run.held_reason is not None:
        return _Ended("held", run.held_reason)
    return _Ended("completed", None)


def _fewest_calls(run: SyncRun, site: Site) -> int | None:
    """List pages + BC's pages + batches of changed rows: what no client could do with less."""
    if run.pages_total is None:
        return None
    refresh = row("SELECT coalesce(fewest_calls, 0) FROM rm_stock_refreshes WHERE id = %s", (run.refresh_id,))
    return (run.fewest_calls or 0) + (refresh[0] if refresh else 0) + fewest_push_calls(site, run.id)


def _confirming_read(work: Work, run: SyncRun, site: Site) -> list[NewJob]:
    sent = last_in_flight(run.id)
    if sent is None:
        return []
    with site_client(site, work) as client:
        return [settle_job(site, run.id, sent, client.settle_seconds)]
