"""Asking for a sync: who joins which run, and which run follows.

A request joins a run only while BC has not been read for it: an operator who corrects BC and clicks Sync gets
the corrected number. Later, one more run is queued behind it, and further requests join that one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.database import execute, row, rows
from models.sync_run import SyncRun
from workers import ledger
from workers.database_errors import retried
from workers.errors import InventorySyncError
from workers.full_sync import spread, steps
from workers.full_sync.stopping import stop_pending
from workers.jobs import SYNC, NewJob, Priority

REQUEST_LOCK = 0x53594E43  # "SYNC": the advisory lock's first half; the second is the site
FOLLOW_UP_DELAY_SECONDS = 30 * 86400.0  # not before the run ahead ends, which makes it due at once


class UnknownSite(InventorySyncError):  # noqa: N818
    """No site has this id."""


class InactiveSite(InventorySyncError):  # noqa: N818
    """The site is paused: make it active first."""


class UnknownRun(InventorySyncError):  # noqa: N818
    """No run has this id."""


class RunNotOpen(InventorySyncError):  # noqa: N818
    """The run is over."""


@dataclass(frozen=True, slots=True)
class Requested:
    """Which run will do it. joined: it was there already; queued_behind: the run that it waits for."""

    site_id: int
    run_id: int
    job_id: int
    status: str
    joined: bool
    queued_behind: int | None = None


@retried
def request_sync(
    site_id: int,
    *,
    requested_by: str,
    request_id: str | None = None,
    priority: int = Priority.PERSON,
    shop_changed: bool = False,
) -> Requested:
    """Ask for a full sync of one site. Raises UnknownSite or InactiveSite.

    shop_changed: for the sake of the shop, not of BC: a run that lists the shop already is too early to join.
    """
    with ledger.committing():
        return _request(site_id, requested_by, request_id, priority, shop_changed)


@retried
def request_sync_all(
    *, requested_by: str, request_id: str | None = None, priority: int = Priority.PERSON
) -> list[Requested]:
    """Ask for a full sync of every active site; the sites of a company share one read of BC."""
    with ledger.committing():
        sites = [site_id for (site_id,) in rows("SELECT id FROM rm_sites WHERE active ORDER BY id")]
        return _request_each(sites, requested_by, request_id, priority, {})


@retried
def request_night(sites: Sequence[int]) -> list[Requested]:
    """Ask for the nightly full sync of these sites, as far as they are active.

    All runs are there at once, so that those of a company share one read of BC; many shops are listed one after
    the other.
    """
    with ledger.committing():
        return _request_each(sorted(sites), "schedule", None, Priority.NIGHT, spread.delays(sites))


def _request_each(
    sites: Sequence[int],
    requested_by: str,
    request_id: str | None,
    priority: int,
    delays: Mapping[int, float],
) -> list[Requested]:
    # All sites first, then their refreshes: a request for one site takes its locks in the same order.
    for site_id in sites:
        _lock_site(site_id)
    asked = []
    for site_id in sites:
        # One that was paused or deleted since it was listed must not stop the others.
        with contextlib.suppress(InactiveSite, UnknownSite):
            delay = delays.get(site_id, 0.0)
            asked.append(_request(site_id, requested_by, request_id, priority, delay=delay))
    return asked


def _request(
    site_id: int,
    requested_by: str,
    request_id: str | None,
    priority: int,
    shop_changed: bool = False,
    delay: float = 0.0,
) -> Requested:
    site = row("SELECT active, company_id FROM rm_sites WHERE id = %s AND leaving_at IS NULL", (site_id,))
    if site is None:
        raise UnknownSite(f"no site has the id {site_id}")
    active, company_id = site
    if not active:
        raise InactiveSite(f"site {site_id} is not active")
    _lock_site(site_id)
    # The refresh first: whoever begins to read it takes this lock before it makes the runs `running`.
    execute(
        "SELECT FROM rm_stock_refreshes WHERE company_id = %s AND status = 'waiting' FOR UPDATE",
        (company_id,),
    )
    # Then the runs, and only then what they wait for: a statement that had to wait for a lock sees the row that it
    # waited for as it is now, and what it joins as it was before.
    execute(
        "SELECT FROM rm_sync_runs WHERE site_id = %s AND status IN ('queued', 'running') ORDER BY id FOR UPDATE",
        (site_id,),
    )
    open_runs = rows(
        """
        SELECT r.id, r.status,
               (r.refresh_id IS NULL OR f.status = 'waiting') AND NOT (%s AND r.list_started_at IS NOT NULL), q.id
        FROM rm_sync_runs r
        LEFT JOIN rm_stock_refreshes f ON f.id = r.refresh_id
        LEFT JOIN rm_queue q ON q.unique_key = 'run:' || r.id || ':start'
        WHERE r.site_id = %s AND r.status IN ('queued', 'running') ORDER BY r.id
        """,
        (shop_changed, site_id),
    )
    if open_runs and priority < Priority.NIGHT:
        _begin_at_once(open_runs[0][0])
    for run_id, status, joinable, job_id in open_runs:
        if joinable:
            _hurry(run_id, priority)
            behind = next((other for other, *_ in open_runs if other != run_id), None)
            return Requested(site_id, run_id, job_id, status, joined=True, queued_behind=behind)
    ahead = open_runs[0][0] if open_runs else None
    return _new_run(site_id, company_id, requested_by, request_id, priority, ahead, delay)


def _lock_site(site_id: int) -> None:
    execute("SELECT pg_advisory_xact_lock(%s, %s)", (REQUEST_LOCK, site_id))


def _new_run(
    site_id: int,
    company_id: int,
    requested_by: str,
    request_id: str | None,
    priority: int,
    ahead: int | None,
    delay: float,
) -> Requested:
    refresh_id: int | None = None
    refresh_jobs: list[NewJob] = []
    if ahead is None:
        refresh_id, refresh_jobs = steps.join_refresh(company_id, priority, request_id)
    made = row(
        """
        INSERT INTO rm_sync_runs (site_id, refresh_id, requested_by, request_id, priority)
        VALUES (%s, %s, %s, %s, %s) RETURNING id
        """,
        (site_id, refresh_id, requested_by, request_id, int(priority)),
    )
    assert made is not None
    run_id = int(made[0])
    start = NewJob(
        kind="sync.start",
        priority=priority,
        site_id=site_id,
        run_id=run_id,
        step=steps.START,
        unique_key=f"run:{run_id}:start",
        delay_seconds=delay if ahead is None else FOLLOW_UP_DELAY_SECONDS,
        request_id=request_id,
    )
    # The list of a shop takes longer than BC's: begin with it.
    job_id = ledger.insert([start])[0]
    ledger.insert(refresh_jobs)
    return Requested(site_id, run_id, job_id, "queued", joined=False, queued_behind=ahead)


def _hurry(run_id: int, priority: int) -> None:
    """A person who joins a night's run should not wait like the night."""
    execute("UPDATE rm_sync_runs SET priority = least(priority, %s) WHERE id = %s", (int(priority), run_id))
    execute(
        "UPDATE rm_queue SET priority = least(priority, %s) WHERE run_id = %s AND status = 'pending'",
        (int(priority), run_id),
    )


def _begin_at_once(run_id: int) -> None:
    """Nobody should wait for a run that itself only waits for its turn in the night's spread.

    What waits for a vendor instead says so in `error`, and what waits for a run ahead has no refresh yet.
    """
    hurried = execute(
        "UPDATE rm_queue SET available_at = now(), updated_at = now() WHERE unique_key = %s AND status = 'pending'"
        " AND available_at > now() AND error IS NULL"
        " AND EXISTS (SELECT FROM rm_sync_runs r WHERE r.id = rm_queue.run_id AND r.refresh_id IS NOT NULL)",
        (f"run:{run_id}:start",),
    )
    if hurried:
        ledger.hint_after_commit(SYNC)


@retried
def cancel_run(run_id: int, *, requested_by: str) -> SyncRun:
    """Stop a run: what is pending is not done, what a worker holds ends by itself.

    Raises UnknownRun or RunNotOpen.
    """
    with ledger.committing():
        owner = row("SELECT refresh_id FROM rm_sync_runs WHERE id = %s", (run_id,))
        if owner is None:
            raise UnknownRun(f"no sync run has the id {run_id}")
        # Exclusively, since the run that follows may join this refresh: two cancels must not both upgrade.
        steps.lock(owner[0], run_id)
        found = row("SELECT site_id, status FROM rm_sync_runs WHERE id = %s", (run_id,))
        assert found is not None
        site_id, status = found
        if status not in ("queued", "running"):
            raise RunNotOpen(f"sync run {run_id} is {status}")
        execute(
            "UPDATE rm_sync_runs SET status = 'cancelled', finished_at = now(), updated_at = now(),"
            " error = %s WHERE id = %s",
            (f"cancelled by {requested_by}", run_id),
        )
        stop_pending(run_id)
        ledger.insert(steps.follow_up(site_id))
        return SyncRun.get_by_id(run_id)
