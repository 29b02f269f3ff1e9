"""The ledger's jobs, for a person: listed by what they ask for, counted up to a bound, one with all its attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from models.database import row
from workers import rescue, walks
from workers.errors import UnknownRecord
from workers.forms import LARGEST_BIGINT, LARGEST_ID, Form, Line
from workers.jobs import QUEUES
from workers.walks import Walk, Walked

STUCK_MINUTES = 30  # the longest that any kind of job may take
COUNTED = 10_000  # "more than" from here on
COUNT_SCAN_ROWS = 20_000

AGES = {
    "15m": ("in the last 15 minutes", "i.created_at >= now() - interval '15 minutes'"),
    "1h": ("in the last hour", "i.created_at >= now() - interval '1 hour'"),
    "1d": ("in the last day", "i.created_at >= now() - interval '1 day'"),
    "over-1h": ("over an hour ago", "i.created_at < now() - interval '1 hour'"),
    "over-1d": ("over a day ago", "i.created_at < now() - interval '1 day'"),
}
"""When a job was asked for: in words, and as a condition."""
Age = Literal["15m", "1h", "1d", "over-1h", "over-1d"]
Status = Literal["pending", "processing", "completed", "failed", "stuck"]
STATUSES = ("pending", "processing", "completed", "failed", "stuck")
"""Those of a job, and `stuck`: processing for too long, or by a worker that gives no sign of life."""


class JobFilter(Form):
    """Which jobs."""

    status: Status | None = None
    queue: Line | None = None
    kind: Line | None = None
    site: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None
    run: Annotated[int, Field(ge=1, le=LARGEST_BIGINT)] | None = None
    age: Age | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job at a glance."""

    id: int
    kind: str
    queue: str
    status: str
    site_id: int | None
    site_name: str | None
    run_id: int | None
    attempts: int
    max_attempts: int
    created_at: datetime
    available_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    stuck: bool


@dataclass(frozen=True, slots=True)
class JobPage:
    """next: the key of the last one; looked: see workers/walks.py."""

    rows: list[JobRow]
    next: tuple[Any, ...] | None
    looked: int


@dataclass(frozen=True, slots=True)
class JobView:
    """One job whole. payload has ids and words, never a secret. result: what it told of itself at its end."""

    id: int
    kind: str
    queue: str
    status: str
    priority: int
    site_id: int | None
    site_name: str | None
    company_id: int | None
    run_id: int | None
    refresh_id: int | None
    step: str | None
    store_key: str | None
    payload: dict[str, Any]
    attempts: int
    max_attempts: int
    calls: int
    folded: int
    created_at: datetime
    available_at: datetime
    hinted_at: datetime | None
    started_at: datetime | None
    lease_expires_at: datetime | None
    deadline_at: datetime | None
    finished_at: datetime | None
    error: str | None
    failures: list[dict[str, Any]]
    result: dict[str, Any] | None
    request_id: str | None
    delivery_id: int | None
    due: bool
    stuck: bool


_STUCK = rescue.stuck_for(STUCK_MINUTES)
_SITE_NAME = "(SELECT s.name FROM rm_sites s WHERE s.id = i.site_id)"
_COLUMNS = f"""i.id, i.kind, i.queue, i.status, i.site_id, {_SITE_NAME}, i.run_id, i.attempts, i.max_attempts,
    i.created_at, i.available_at, i.started_at, i.finished_at, i.error, {_STUCK}"""
_VIEW = f"""
    SELECT i.id, i.kind, i.queue, i.status, i.priority, i.site_id, {_SITE_NAME}, i.company_id, i.run_id, i.refresh_id,
           i.step, i.store_key, i.payload, i.attempts, i.max_attempts, i.calls, i.folded, i.created_at, i.available_at,
           i.hinted_at, i.started_at, i.lease_expires_at, i.deadline_at, i.finished_at, i.error, i.failures, i.result,
           i.request_id, (SELECT max(w.id) FROM rm_webhook_log w WHERE w.job_id = i.id),
           i.available_at <= now(), {_STUCK}
    FROM rm_queue i WHERE i.id = %s
"""


def page(wanted: JobFilter, after: Sequence[Any] | None, most: int) -> JobPage:
    """A page of jobs, the newest first. after: `next` of the page before."""
    walked = walks.page(_walk(wanted), _COLUMNS, after, most)
    return JobPage([JobRow(*values) for values in walked.rows], walked.next, walked.looked)


def number(wanted: JobFilter) -> tuple[int, bool]:
    """How many jobs these are, up to COUNTED, and whether that is all of them."""
    return walks.number(_walk(wanted), COUNTED, COUNT_SCAN_ROWS)


def newest() -> int:
    """The id of the newest job: what a person agrees to now concerns none that come after it."""
    found = row("SELECT coalesce(max(id), 0) FROM rm_queue")
    assert found is not None
    return int(found[0])


def ids(wanted: JobFilter, after: Sequence[Any] | None, most: int) -> Walked:
    """Ids of these jobs, the newest first, from a key on."""
    return walks.page(_walk(wanted), "i.id", after, most)


def get(job_id: int) -> JobView:
    """One job. Raises UnknownRecord."""
    found = row(_VIEW, (job_id,))
    if found is None:
        raise UnknownRecord("job")
    return JobView(*found)


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """What of a queue is open. waiting: up to COUNTED; due: those of them that somebody may take now."""

    queue: str
    waiting: int
    due: int
    processing: int


# In the order of the index on what waits: without one, PostgreSQL may read the whole table for the first few.
_OPEN = """
    SELECT (SELECT count(*) FROM rm_queue WHERE queue = %(queue)s AND status = 'processing'),
           count(*), count(*) FILTER (WHERE available_at <= now())
    FROM (SELECT available_at FROM rm_queue WHERE queue = %(queue)s AND status = 'pending'
          ORDER BY site_id, priority, id LIMIT %(most)s) waiting
"""


def open_jobs() -> list[OpenJobs]:
    """What is open, by queue."""
    found = []
    for queue in QUEUES:
        counted = row(_OPEN, {"queue": queue, "most": COUNTED})
        assert counted is not None
        processing, waiting, due = counted
        found.append(OpenJobs(queue, waiting, due, processing))
    return found


def _walk(wanted: JobFilter) -> Walk:
    """By the index that leaves the least to look through: of a run, of a status that few have, of a site."""
    conditions = {
        "run": "i.run_id = %(run)s",
        "status": _STUCK if wanted.status == "stuck" else "i.status = %(status)s",
        "site": "i.site_id = %(site)s",
        "queue": "i.queue = %(queue)s",
        "kind": "i.kind = %(kind)s",
        "age": AGES[wanted.age][1] if wanted.age else "",
    }
    given = {name: sql for name, sql in conditions.items() if getattr(wanted, name) is not None}
    leading = next((name for name in _leading(wanted) if name in given), None)
    where = given.pop(leading) if leading else "true"
    return Walk(
        "rm_queue",
        ("id",),
        where,
        " AND ".join(given.values()) or "true",
        wanted.model_dump(),
        descending=True,
    )


def _leading(wanted: JobFilter) -> tuple[str, ...]:
    return ("run", "site", "status") if wanted.status == "completed" else ("run", "status", "site")
