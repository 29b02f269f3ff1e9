"""A worker in the test's own thread: due jobs one by one, so that a test decides what happens between two."""

from __future__ import annotations

from collections.abc import Callable

from models.database import execute as execute_sql
from models.database import row, rows, transaction
from models.sync_run import SyncRun
from tests.fleet import eventually
from tests.places import run_of
from workers import execute
from workers.full_sync.requests import request_sync

SOON_SECONDS = (
    5.0  # a job that comes again so soon is waited for: one that waits longer is the test's to hurry
)
MOST_JOBS = 2_000  # of one call: more means that jobs come again for ever

_CLOCKS = {
    "rm_items": ("observed_at", "stock_read_at", "sent_at", "updated_at", "deactivated_at"),
    "rm_stock": ("read_started_at", "read_ended_at", "changed_at"),
    "rm_stock_refreshes": ("read_started_at", "finished_at", "created_at"),
    "rm_sync_runs": ("created_at", "started_at", "list_started_at", "finished_at", "updated_at"),
    "rm_queue": ("available_at", "hinted_at", "started_at", "finished_at", "created_at", "updated_at"),
    "rm_pushes": ("sent_at", "decided_at"),
}
# When what a listing saw in flight was sent, in seconds since 1970.
_FLYING_EARLIER = """
    UPDATE rm_queue SET result = jsonb_set(result, '{flying}', (
        SELECT coalesce(jsonb_object_agg(key, value::bigint - %s::bigint), '{}')
        FROM jsonb_each_text(result -> 'flying')))
    WHERE result ? 'flying'
"""


def drain(until: Callable[[], bool] = lambda: False) -> None:
    """Do what is due, most urgent first as workers would, until `until` holds or nothing is due soon."""
    refused: set[int] = set()
    for _ in range(MOST_JOBS):
        if until():
            return
        job_id = _next_due(refused)
        if job_id is None and _due_soon():
            eventually(
                lambda: _next_due(set()) is not None, seconds=SOON_SECONDS + 5, every=0.02, what="a job"
            )
            refused.clear()
        elif job_id is None:
            return
        elif not execute.execute(job_id):
            refused.add(job_id)
    raise AssertionError(f"over {MOST_JOBS} jobs: {rows('SELECT kind, status, error FROM rm_queue')}")


def drain_until_step(run_id: int, step: str) -> None:
    """Do what is due until the run has come to this step; none of its jobs has begun then."""
    drain(lambda: run_of(run_id).step == step)
    assert run_of(run_id).step == step, run_of(run_id).error


def sync(site_id: int) -> SyncRun:
    """A full sync of one site, from the request to its end."""
    run_id = request_sync(site_id, requested_by="test").run_id
    drain(lambda: run_of(run_id).status not in ("queued", "running"))
    return run_of(run_id)


def do_next(kind: str, run_id: int | None = None) -> int:
    """Do the next due job of one kind, and nothing else; gives its id."""
    found = row(
        "SELECT id FROM rm_queue WHERE kind = %s AND status = 'pending' AND available_at <= now()"
        " AND (%s::bigint IS NULL OR run_id = %s) ORDER BY priority, id LIMIT 1",
        (kind, run_id, run_id),
    )
    assert found is not None, f"no {kind} is due"
    assert execute.execute(found[0])
    return int(found[0])


def let_time_pass(seconds: float) -> None:
    """As if `seconds` had passed: everything that is stored happened, or is due, that much earlier."""
    with transaction():
        for table, columns in _CLOCKS.items():
            moved = ", ".join(f"{column} = {column} - make_interval(secs => %s)" for column in columns)
            execute_sql(f"UPDATE {table} SET {moved}", (seconds,) * len(columns))
        execute_sql(_FLYING_EARLIER, (seconds,))


def _next_due(refused: set[int]) -> int | None:
    found = row(
        "SELECT id FROM rm_queue WHERE status = 'pending' AND available_at <= now() AND id <> ALL (%s)"
        " ORDER BY priority, id LIMIT 1",
        (sorted(refused),),
    )
    return None if found is None else int(found[0])


def _due_soon() -> bool:
    found = row(
        "SELECT count(*) FROM rm_queue WHERE status = 'pending'"
        " AND available_at < now() + make_interval(secs => %s)",
        (SOON_SECONDS,),
    )
    return found is not None and found[0] > 0
