"""The ledger's way in: jobs are inserted in the transaction of their cause, and hinted after its commit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

from models.database import DatabaseUnavailable, rows, transaction
from workers import hints
from workers.jobs import NewJob

log = structlog.get_logger()

HINTS_AT_ONCE = 8  # of one insert: the rest is hinted as workers become free

_INSERT = """
    INSERT INTO rm_queue (kind, queue, priority, payload, site_id, company_id, run_id, refresh_id, step, store_key,
                          unique_key, max_attempts, request_id, available_at)
    SELECT kind, queue, priority, payload, site_id, company_id, run_id, refresh_id, step, store_key,
           unique_key, max_attempts, request_id, now() + make_interval(secs => delay_seconds)
    FROM jsonb_to_recordset(%s) AS new (
        kind text, queue text, priority smallint, payload jsonb, site_id integer, company_id integer, run_id bigint,
        refresh_id bigint, step text, store_key text, unique_key text, max_attempts integer, request_id text,
        delay_seconds double precision)
    ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING
    RETURNING id, queue
"""

_queues_to_hint: ContextVar[dict[str, int] | None] = ContextVar("queues_to_hint", default=None)


@contextmanager
def committing() -> Iterator[None]:
    """A transaction after whose commit the jobs inserted in it are hinted. Nests."""
    if _queues_to_hint.get() is not None:
        with transaction():
            yield
        return
    wanted: dict[str, int] = {}
    token = _queues_to_hint.set(wanted)
    try:
        with transaction():
            yield
    finally:
        _queues_to_hint.reset(token)
    for queue, number in wanted.items():
        try:
            hints.hint_due(queue, min(number, HINTS_AT_ONCE))
        except DatabaseUnavailable as error:  # what was asked for is committed: the dispatcher hints it
            log.warning("no hint after a commit", action="hint", error=str(error).strip())


def hint_after_commit(queue: str, number: int = 1) -> None:
    """Hint this many more jobs of a queue once the transaction of `committing()` is through."""
    wanted = _queues_to_hint.get()
    if wanted is not None:
        wanted[queue] = wanted.get(queue, 0) + number


def insert(jobs: Sequence[NewJob]) -> list[int]:
    """Insert jobs with their cause, inside `committing()`; gives the ids of those that are new, in order."""
    if not jobs:
        return []
    fields = [
        {
            "kind": job.kind,
            "queue": job.queue,
            "priority": int(job.priority),
            "payload": dict(job.payload),
            "site_id": job.site_id,
            "company_id": job.company_id,
            "run_id": job.run_id,
            "refresh_id": job.refresh_id,
            "step": job.step,
            "store_key": job.store_key,
            "unique_key": job.unique_key,
            "max_attempts": job.max_attempts,
            "request_id": job.request_id,
            "delay_seconds": job.delay_seconds,
        }
        for job in jobs
    ]
    inserted = rows(_INSERT, (json.dumps(fields),))
    for _, queue in inserted:
        hint_after_commit(queue)
    return [job_id for job_id, _ in inserted]
