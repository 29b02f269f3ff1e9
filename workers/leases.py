"""Leases: who holds a job, who may write to a store. Held in PostgreSQL, renewed by one thread a process."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from models.config import settings
from models.database import execute, row, rows
from workers.errors import LeaseLost
from workers.jobs import Claim

log = structlog.get_logger()

RENEWALS_A_LEASE = 4.5  # a lease of 45 s is renewed every 10 s: three renewals may fail before it lapses
WRITE_MARGIN_SECONDS = 15.0  # a write starts only if the lease outlives its deadline by this
GIVE_WAY_SECONDS = 60.0
"""How long a store is kept free for a more urgent write that nobody comes for: its queue may have no worker."""

_RENEW_JOBS = """
    UPDATE rm_queue SET lease_expires_at = least(now() + make_interval(secs => %s), deadline_at)
    WHERE status = 'processing' AND deadline_at > now()
      AND (id, lease_token) IN (SELECT unnest(%s::bigint[]), unnest(%s::uuid[]))
"""
# A store is held as long as its job is: one that hangs past its deadline must not keep others out for ever.
_RENEW_STORES = """
    UPDATE rm_store_leases s SET expires_at = now() + make_interval(secs => %s)
    FROM rm_queue q
    WHERE s.expires_at > now() AND s.token = ANY (%s::uuid[])
      AND q.id = s.job_id AND q.lease_token = s.token AND q.status = 'processing' AND q.deadline_at > now()
"""
OVERTAKES = f"""
    n.status = 'pending' AND n.available_at <= now()
    AND greatest(n.available_at, n.updated_at) > now() - make_interval(secs => {GIVE_WAY_SECONDS})
"""
"""Of two jobs that want one store, whether the more urgent one (`n`) is to be waited for."""


class Heartbeat:
    """Renews every lease that this process holds, in two statements, until the job's hard deadline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By token too: a job that hangs may be claimed anew by another thread of its own process.
        self._held: dict[tuple[int, uuid.UUID], Claim] = {}
        self._thread: threading.Thread | None = None
        self._every_seconds = 0.0
        self.failed_renewals = 0

    @contextmanager
    def holding(self, *claims: Claim) -> Iterator[None]:
        """Keep these claims alive while the block runs."""
        with self._lock:
            self._every_seconds = settings().job_lease_seconds / RENEWALS_A_LEASE
            self._held.update({(claim.id, claim.token): claim for claim in claims})
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                for claim in claims:
                    self._held.pop((claim.id, claim.token), None)

    def held(self) -> list[Claim]:
        """What this process holds now."""
        with self._lock:
            return list(self._held.values())

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._every_seconds):
            claims = self.held()
            if not claims:
                continue
            try:
                self._renew(claims)
            except Exception as error:  # whatever it is, the jobs go on, and the next renewal may work
                self.failed_renewals += 1
                log.warning("leases could not be renewed", action="heartbeat", error=str(error).strip())

    @staticmethod
    def _renew(claims: list[Claim]) -> None:
        tokens = [str(claim.token) for claim in claims]
        execute(_RENEW_JOBS, (settings().job_lease_seconds, [claim.id for claim in claims], tokens))
        stores = [str(claim.token) for claim in claims if claim.store_key]
        if stores:
            execute(_RENEW_STORES, (settings().store_lease_seconds, stores))


heartbeat = Heartbeat()


def take_store(store_key: str, job_id: int, token: uuid.UUID) -> bool:
    """Become the store's one writer, in the caller's transaction. False: somebody else is.

    Taking over a lapsed lease leaves the dead holder's rows `unsure`: what it sent may still land.
    """
    # Waits for another taker: should that one be undone, the dead holder is ours to doubt.
    dead = rows(
        "SELECT job_id FROM rm_store_leases WHERE store_key = %s AND expires_at <= now() FOR UPDATE",
        (store_key,),
    )
    taken = execute(
        """
        INSERT INTO rm_store_leases (store_key, token, job_id, expires_at)
        VALUES (%s, %s, %s, now() + make_interval(secs => %s))
        ON CONFLICT (store_key) DO UPDATE
            SET token = excluded.token, job_id = excluded.job_id, expires_at = excluded.expires_at
            WHERE rm_store_leases.expires_at <= now()
        """,
        (store_key, str(token), job_id, settings().store_lease_seconds),
    )
    if taken and dead:
        doubt(dead[0][0])
    return taken == 1


def overtaken(store_key: str | None, priority: int) -> bool:
    """True where a more urgent write to this store waits: it goes first."""
    if store_key is None:
        return False
    return (
        row(
            f"SELECT 1 FROM rm_queue n WHERE n.store_key = %s AND n.priority < %s AND {OVERTAKES} LIMIT 1",
            (store_key, priority),
        )
        is not None
    )


def doubt(job_id: int) -> int:
    """Mark what a job was sending as unsure, rows and items, in the caller's transaction; gives how many."""
    return execute(
        """
        WITH doubted AS (
            UPDATE rm_pushes SET outcome = 'unsure' WHERE job_id = %s AND outcome = 'sending' RETURNING item_id
        )
        UPDATE rm_items SET unsure = true, updated_at = now() FROM doubted WHERE id = item_id
        """,
        (job_id,),
    )


def release_store(claim: Claim) -> bool:
    """Let the next writer in, in the caller's transaction. False: the lease was lost before."""
    return (
        execute(
            "DELETE FROM rm_store_leases WHERE store_key = %s AND token = %s",
            (claim.store_key, str(claim.token)),
        )
        == 1
    )


def before_write(claim: Claim) -> None:
    """Make sure that a write may start: job and store are ours for longer than the write can take.

    Raises LeaseLost, also where the job's hard deadline is too near.
    """
    needed = settings().write_deadline_seconds + WRITE_MARGIN_SECONDS
    length = max(settings().store_lease_seconds, needed)
    store = execute(
        "UPDATE rm_store_leases SET expires_at = now() + make_interval(secs => %s)"
        " WHERE store_key = %s AND token = %s AND expires_at > now()",
        (length, claim.store_key, str(claim.token)),
    )
    job = execute(
        "UPDATE rm_queue SET lease_expires_at = least(now() + make_interval(secs => %s), deadline_at)"
        " WHERE id = %s AND lease_token = %s AND status = 'processing'"
        " AND deadline_at > now() + make_interval(secs => %s)",
        (settings().job_lease_seconds, claim.id, str(claim.token), needed),
    )
    if not (store and job):
        raise LeaseLost(f"job {claim.id} no longer holds {claim.store_key if job else 'its lease'}")
