"""The ledger: PostgreSQL remembers all work. Jobs are claimed and ended here, and inserted in `outbox`.

Lock order, everywhere: stock refresh, run, job. State changes are compare-and-set; no row changed means that
somebody else was first.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from peewee import IntegrityError

from models.config import settings
from models.database import Parameters, execute, row, rows, transaction
from workers import failures, turns
from workers.attempts import NOTED
from workers.database_errors import constraint, retried
from workers.errors import InventorySyncError, LeaseLost
from workers.full_sync import steps
from workers.jobs import CANCELLED, HARD_DEADLINE_SECONDS, Claim, Done, Work
from workers.leases import doubt, release_store
from workers.outbox import committing, hint_after_commit, insert

log = structlog.get_logger()

BACKOFF_FIRST_SECONDS = 2.0
BACKOFF_LONGEST_SECONDS = 300.0
FOLD_TRIES = 5

_CLAIMED = (
    "id, lease_token, kind, queue, priority, payload, site_id, company_id, run_id, refresh_id, step, store_key,"
    " attempts, max_attempts, request_id"
)
# In an update that makes a job wait again: its key, unless another job waits under it.
FREE_FOLD_KEY = """CASE WHEN EXISTS (
    SELECT FROM rm_queue o WHERE o.fold_key = rm_queue.fold_key AND o.status = 'pending' AND o.id <> rm_queue.id)
    THEN NULL ELSE fold_key END"""


def kind_of(job_id: int) -> str | None:
    """The kind of a job that is pending; None where nothing is to be done."""
    found = row("SELECT kind FROM rm_queue WHERE id = %s AND status = 'pending'", (job_id,))
    return None if found is None else str(found[0])


def claim(job_id: int, deadline_seconds: float = HARD_DEADLINE_SECONDS) -> Claim | None:
    """Take a job that is pending and due, and the lease of its store. None: it isn't to be had now."""
    token = uuid.uuid4()
    with committing():
        found = row(
            f"""
            UPDATE rm_queue SET status = 'processing', attempts = attempts + 1, lease_token = %s,
                lease_expires_at = now() + make_interval(secs => %s), started_at = now(),
                deadline_at = now() + make_interval(secs => %s), updated_at = now()
            WHERE id = %s AND status = 'pending' AND available_at <= now()
            RETURNING {_CLAIMED}
            """,
            (str(token), min(settings().job_lease_seconds, deadline_seconds), deadline_seconds, job_id),
        )
        if found is None:
            return None
        claimed = Claim(found[0], token, *found[2:])
        if turns.must_wait(claimed):
            turns.put_back(job_id)
            return None
    return claimed


def claim_companions(work: Work, most: int) -> list[Claim]:
    """Take up to `most` jobs alike of the same site that wait and never failed, beside one that is held.

    They share its token and its end. One that has failed before goes alone, so that it can't fail its company.
    """
    own = work.claim
    with transaction():
        found = rows(
            f"""
            UPDATE rm_queue SET status = 'processing', attempts = attempts + 1, lease_token = %(token)s,
                lease_expires_at = now() + make_interval(secs => %(lease)s), started_at = now(),
                deadline_at = (SELECT deadline_at FROM rm_queue WHERE id = %(job)s), updated_at = now()
            WHERE id = ANY (ARRAY(  -- asked once: as a join it may be asked anew for each row, and take more
                SELECT id FROM rm_queue WHERE status = 'pending' AND queue = %(queue)s AND site_id = %(site)s
                  AND kind = %(kind)s AND available_at <= now() AND attempts = 0 AND store_key IS NULL
                ORDER BY priority, id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
            RETURNING {_CLAIMED}
            """,
            {
                "token": str(own.token),
                "lease": settings().job_lease_seconds,
                "job": own.id,
                "queue": own.queue,
                "site": own.site_id,
                "kind": own.kind,
                "most": most,
            },
        )
    taken = [Claim(job_id, own.token, *fields) for job_id, _, *fields in found]
    work.companions += taken
    return taken


@retried
def complete(claimed: Claim, done: Done, *, calls: int = 0, companions: Sequence[Claim] = ()) -> None:
    """End a job as completed, with all that must commit with it. Raises LeaseLost: nothing was changed."""
    result = json.dumps(dict(done.result)) if done.result is not None else None
    with _ending(claimed, "completed", error=None, calls=calls, result=result):
        if companions:
            execute(
                """
                UPDATE rm_queue SET status = 'completed', error = NULL, lease_token = NULL, lease_expires_at = NULL,
                    finished_at = now(), updated_at = now(), result = jsonb_build_object('done_with', %s::bigint)
                WHERE id = ANY (%s) AND lease_token = %s AND status = 'processing'
                """,
                (claimed.id, [found.id for found in companions], str(claimed.token)),
            )
        if done.record is not None:
            done.record()
        insert(done.jobs)


@retried
def fail(claimed: Claim, error: str, *, calls: int = 0, record: Callable[[], None] | None = None) -> None:
    """End a job as failed, with the reason, and what must commit with it. Raises LeaseLost: nothing was changed."""
    with _ending(claimed, "failed", error=error, calls=calls, result=None):
        if record is not None:
            record()
        failures.job_failed(claimed.id, claimed.kind, error)


@retried
def defer(claimed: Claim, seconds: float, *, error: str, calls: int = 0, costs_attempt: bool) -> None:
    """Give a job back: due again in `seconds`. Raises LeaseLost: nothing was changed."""
    with committing():
        changed = to_pending(
            f"""
            UPDATE rm_queue SET status = 'pending', attempts = attempts - %(back)s, error = %(told)s,
                calls = calls + %(calls)s, available_at = now() + make_interval(secs => %(seconds)s),
                lease_token = NULL, lease_expires_at = NULL, hinted_at = NULL, hint_count = 0, updated_at = now(),
                fold_key = {FREE_FOLD_KEY}, {NOTED}
            WHERE id = %(job)s AND lease_token = %(token)s AND status = 'processing' RETURNING queue
            """,
            {
                "told": error,
                "error": error if costs_attempt else None,  # what waits has not failed
                "back": 0 if costs_attempt else 1,
                "calls": calls,
                "seconds": seconds,
                "job": claimed.id,
                "token": str(claimed.token),
            },
        )
        if changed is None:
            raise LeaseLost(f"job {claimed.id} is no longer ours")
        _let_go_of_store(claimed)
        hint_after_commit(claimed.queue)  # this thread is free again


def to_pending(statement: str, parameters: Parameters) -> tuple[Any, ...] | None:
    """Run an update that makes a job wait again; gives its row.

    Only one job of a fold key may wait: where another does, this one goes on without the key. A delivery may
    insert that other one between our look and our write; the second look sees it.
    """
    for _ in range(FOLD_TRIES):
        try:
            with transaction():
                return row(statement, parameters)
        except IntegrityError as error:
            if constraint(error) != "rm_queue_folding":
                raise
    raise InventorySyncError("a job could not wait again: others of its fold key kept coming")


def backoff_seconds(attempts: int) -> float:
    """Exponential, with full jitter in its upper half, so that jobs which failed together spread out."""
    longest = min(BACKOFF_FIRST_SECONDS * 2 ** (attempts - 1), BACKOFF_LONGEST_SECONDS)
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreading load, not secrets


@contextmanager
def _ending(claimed: Claim, status: str, **columns: Any) -> Iterator[None]:
    """The one way in which a held job ends: compare-and-set, what commits with it, then the next step."""
    with committing():
        steps.lock(claimed.refresh_id, claimed.run_id)
        changed = execute(
            f"""
            UPDATE rm_queue SET status = %(status)s, error = %(error)s, calls = calls + %(calls)s, result = %(result)s,
                lease_token = NULL, lease_expires_at = NULL, finished_at = now(), updated_at = now(), {NOTED}
            WHERE id = %(job)s AND lease_token = %(token)s AND status = 'processing'
            """,
            {**columns, "status": status, "job": claimed.id, "token": str(claimed.token)},
        )
        if not changed:
            raise LeaseLost(f"job {claimed.id} is no longer ours")
        yield
        _let_go_of_store(claimed)
        insert(steps.advance(claimed.refresh_id, claimed.run_id))
        hint_after_commit(claimed.queue, 2)  # this thread is free again: one job for it, one to keep in hand


def _let_go_of_store(claimed: Claim) -> None:
    if claimed.store_key:
        release_store(claimed)
        # The next writer may have been hinted while the lease was taken: make it look new.
        following = row(
            """
            UPDATE rm_queue SET hinted_at = NULL, hint_count = 0 WHERE id = (
                SELECT id FROM rm_queue WHERE store_key = %s AND status = 'pending' AND available_at <= now()
                  AND id <> %s ORDER BY priority, id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING queue
            """,
            (claimed.store_key, claimed.id),
        )
        if following is not None:
            hint_after_commit(following[0])


# Ends that nobody holds a lease for: the dispatcher, the command line, a person.


def end_unheld(job_id: int, *, where: str, error: str) -> bool:
    """End a job as failed if `where` (a constant condition) still holds. False: it does not."""
    with committing():
        found = row("SELECT refresh_id, run_id, kind, queue FROM rm_queue WHERE id = %s", (job_id,))
        if found is None:
            return False
        refresh_id, run_id, kind, queue = found
        steps.lock(refresh_id, run_id)
        changed = execute(
            f"UPDATE rm_queue SET status = 'failed', error = %(error)s, lease_token = NULL, lease_expires_at = NULL,"
            f" finished_at = now(), updated_at = now(), {NOTED} WHERE id = %(job)s AND {where}",
            {"error": error, "job": job_id},
        )
        if not changed:
            return False
        doubt(job_id)
        failures.job_failed(job_id, kind, error)
        insert(steps.advance(refresh_id, run_id))
        hint_after_commit(queue)
        return True


@retried
def cancel(job_id: int) -> bool:
    """End a pending or processing job as failed with the error `cancelled`. False: it had ended."""
    return end_unheld(job_id, where="status IN ('pending', 'processing')", error=CANCELLED)


@retried
def retry(job_id: int) -> bool:
    """Give a failed job all its attempts again. False: it has not failed, or its run is over."""
    with committing():
        owners = row("SELECT refresh_id, run_id FROM rm_queue WHERE id = %s", (job_id,))
        if owners is None:
            return False
        steps.lock(*owners)
        found = to_pending(
            f"""
            UPDATE rm_queue SET status = 'pending', attempts = 0, available_at = now(), hinted_at = NULL,
                hint_count = 0, finished_at = NULL, updated_at = now(), fold_key = {FREE_FOLD_KEY}
            WHERE id = %s AND status = 'failed'
              AND (run_id IS NULL OR EXISTS (
                    SELECT FROM rm_sync_runs r
                    WHERE r.id = rm_queue.run_id AND r.status = 'running' AND r.step = rm_queue.step))
              AND (refresh_id IS NULL OR EXISTS (
                    SELECT FROM rm_stock_refreshes f
                    WHERE f.id = rm_queue.refresh_id AND f.status IN ('waiting', 'reading')))
            RETURNING queue
            """,
            (job_id,),
        )
        if found is None:
            return False
        hint_after_commit(found[0])
        return True
