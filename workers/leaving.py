"""A site that is deleted: gone for everybody at once, while a job deletes its rows, batch after batch."""

from __future__ import annotations

import contextlib

from models.database import execute, row, rows
from workers.database_errors import retried
from workers.full_sync import requests
from workers.jobs import Done, NewJob, Priority, Work

KIND = "site.delete"
BATCH_ROWS = 5_000  # a statement of some hundred milliseconds, so that its locks are never held for long
TABLES = ("rm_items", "rm_zeroings", "rm_webhook_log", "rm_queue")
"""What may be large. Items take their pushes along, so that few are left for the jobs to take."""

# Rows that a worker holds just now come with the next batch, or with the site's own row.
_BATCH = """
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {table} WHERE site_id = %s LIMIT %s FOR UPDATE SKIP LOCKED))
"""
_FORGOTTEN = """
    SELECT id FROM rm_sites s WHERE leaving_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM rm_queue q WHERE q.kind = %s AND q.status IN ('pending', 'processing')
          AND (q.payload ->> 'site')::integer = s.id)
    ORDER BY id
"""


def job(site_id: int, request_id: str | None = None) -> NewJob:
    """What deletes the rows of a site that leaves. It belongs to no site: it outlives this one."""
    return NewJob(kind=KIND, priority=Priority.PERSON, payload={"site": site_id}, request_id=request_id)


def forgotten() -> list[NewJob]:
    """A job for each site that leaves and that no job works on: its own has failed, or was cancelled."""
    return [job(site_id) for (site_id,) in rows(_FORGOTTEN, (KIND,))]


def delete_rows(work: Work) -> Done:
    """Delete what belongs to a site that leaves, then the site; gives how many rows of each table.

    Each batch is committed by itself: whoever comes after a kill goes on with what is left.
    """
    site_id = int(work.claim.payload["site"])
    if row("SELECT 1 FROM rm_sites WHERE id = %s AND leaving_at IS NOT NULL", (site_id,)) is None:
        return Done(result={})
    stop_runs(site_id)
    deleted = {table.removeprefix("rm_"): _empty(table, site_id, work) for table in TABLES}
    _delete_site(site_id)
    return Done(result=deleted)


def stop_runs(site_id: int) -> None:
    """Stop what runs, and the one that each cancelled run lets follow."""
    opened = "SELECT id FROM rm_sync_runs WHERE site_id = %s AND status IN ('queued', 'running') ORDER BY id"
    for (run_id,) in rows(opened, (site_id,)):
        with contextlib.suppress(requests.UnknownRun, requests.RunNotOpen):  # it ended by itself
            requests.cancel_run(run_id, requested_by="the deletion of its site")


def _empty(table: str, site_id: int, work: Work) -> int:
    total = 0
    while deleted := _delete_batch(table, site_id):
        total += deleted
        work.progressed = True
    return total


@retried
def _delete_batch(table: str, site_id: int) -> int:
    return execute(_BATCH.format(table=table), (site_id, BATCH_ROWS))


@retried
def _delete_site(site_id: int) -> None:
    execute("DELETE FROM rm_sites WHERE id = %s AND leaving_at IS NOT NULL", (site_id,))
