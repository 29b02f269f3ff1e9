"""One job from its hint to its end: claim, handle, and turn what happened into one of the ledger's ends."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import structlog

from models.crypto import UndecryptableError
from models.database import DatabaseUnavailable, DatabaseUnusable, row
from workers import breaker, ledger, metrics
from workers.alerts import refusals
from workers.database_errors import out_of_space
from workers.errors import (
    ConfigurationError,
    InventorySyncError,
    LeaseLost,
    MustWait,
    PermanentFailure,
    RateLimited,
    RemoteError,
)
from workers.jobs import Claim, Kind, Work
from workers.kinds import KINDS
from workers.leases import heartbeat

log = structlog.get_logger()

RATE_LIMIT_SECONDS = 5.0  # where a vendor answers 429 without a header
LEAST_WAIT_SECONDS = (
    0.25  # what waits for something must not keep a worker busy by asking whether it is there
)
PROGRESS_SECONDS = 0.5  # before a job that got further goes on; the breaker slows what keeps failing
NO_ROOM_SECONDS = 10.0  # until it is tried whether PostgreSQL's disk has room again
# A kind that only newer code knows waits for half its age, so that a rollout costs it seconds; a rollback may last.
STRANGE_FIRST_SECONDS = 5.0
STRANGE_LONGEST_SECONDS = 60.0
STRANGE_SECONDS = 86_400.0  # after that it fails: the newer code does not come back
AWAY_TRIES = 5  # PostgreSQL may be restarting just when a job begins or ends
AWAY_PAUSE_SECONDS = 1.0  # after the first try, and as much longer after each further one


def execute(job_id: int) -> bool:
    """Do one job. False: it was not to be had. Never raises for what a job does."""
    taken = _take(job_id)
    if taken is None:
        return False
    kind, claim = taken
    with structlog.contextvars.bound_contextvars(**_context(claim)), heartbeat.holding(claim):
        if kind is None:
            _end(lambda: _leave_to_newer_code(claim))
        else:
            _work_on(kind, claim)
    return True


def _take(job_id: int) -> tuple[Kind | None, Claim] | None:
    """Claim the job. None: it is not to be had.

    Without PostgreSQL this thread waits for it: else a worker would go through all hints in no time, and each of
    these jobs would wait until it is hinted again.
    """
    for attempt in range(1, AWAY_TRIES + 1):
        try:
            found = ledger.kind_of(job_id)
            if found is None:
                return None
            kind = KINDS.get(found)
            claim = ledger.claim(job_id, kind.deadline_seconds if kind else ledger.HARD_DEADLINE_SECONDS)
            return None if claim is None else (kind, claim)
        except DatabaseUnusable as error:
            log.warning("a hint found no PostgreSQL", action="claim", job_id=job_id, error=str(error).strip())
            time.sleep(AWAY_PAUSE_SECONDS * attempt)
    return None  # the row is still there, and will be hinted again


def _leave_to_newer_code(claim: Claim) -> None:
    """In an upgrade newer code works beside this, and after a rollback it may come back: the job waits for it."""
    found = row(
        "SELECT extract(epoch FROM now() - created_at)::double precision FROM rm_queue WHERE id = %s",
        (claim.id,),
    )
    age = found[0] if found else 0.0
    error = f"this version knows no job of the kind {claim.kind}"
    if age > STRANGE_SECONDS:
        ledger.fail(claim, f"{error}, and none that does has taken it in {STRANGE_SECONDS / 3600:.0f} hours")
        _count(claim, "failed")
        return
    wait = min(max(age / 2, STRANGE_FIRST_SECONDS), STRANGE_LONGEST_SECONDS)
    log.info("a job for newer code", action=claim.kind, seconds=round(wait, 1))
    ledger.defer(claim, wait, error=f"{error}: it waits for a worker that does", costs_attempt=False)
    _count(claim, "waited")


def _context(claim: Claim) -> dict[str, object]:
    context = {
        "job_id": claim.id,
        "run_id": claim.run_id,
        "site_id": claim.site_id,
        "request_id": claim.request_id,
    }
    return {name: value for name, value in context.items() if value is not None}


def _work_on(kind: Kind, claim: Claim) -> None:
    work = Work(claim)
    scope = _scope(claim)
    started = time.monotonic()
    try:
        if scope:
            breaker.check(scope)
        done = kind.handler(work)
    except Exception as caught:  # every end is decided in one place
        error = caught
        if scope:
            breaker.tell(scope, error, answered=work.progressed)
        for held in work.claims:
            _end(functools.partial(_end_badly, work, held, error))
        return
    if scope and work.calls:
        breaker.succeeded(scope)
    if _end(lambda: ledger.complete(claim, done, calls=work.calls, companions=work.companions)):
        seconds = round(time.monotonic() - started, 3)
        for held in work.claims:
            _count(held, "completed")
        metrics.job_seconds.labels(claim.queue, claim.kind).observe(seconds)
        log.debug("job done", action=claim.kind, seconds=seconds, calls=work.calls)


def _count(claim: Claim, result: str) -> None:
    metrics.jobs.labels(claim.queue, claim.kind, result).inc()


def _scope(claim: Claim) -> str | None:
    if claim.site_id is not None:
        return breaker.site_scope(claim.site_id)
    if claim.company_id is not None:
        return breaker.company_scope(claim.company_id)
    return None


def _end_badly(work: Work, claim: Claim, error: Exception) -> None:
    calls = work.calls if claim is work.claim else 0  # counted once, however many were done together
    match error:
        case LeaseLost():
            raise error
        case MustWait():
            _wait(claim, error, max(error.seconds, LEAST_WAIT_SECONDS), calls)
        case RateLimited():
            _wait(claim, error, error.retry_after or RATE_LIMIT_SECONDS, calls)
        case ConfigurationError() | PermanentFailure() | UndecryptableError():
            _fail(claim, str(error), calls)
        case RemoteError() if error.permanent:
            _fail(claim, str(error), calls, record=refusals.noted(claim, error))
        case RemoteError() if error.outage:
            _wait_for_vendor(claim, error, calls)
        case RemoteError():
            _again(work, claim, str(error), calls, at_least=error.retry_after or 0.0)
        case InventorySyncError():
            _again(work, claim, str(error), calls)
        case _ if out_of_space(error):
            # However long that takes, it is no fault of the job's.
            _wait(claim, error, NO_ROOM_SECONDS, calls)
        case _:
            if not isinstance(error, DatabaseUnavailable):
                log.exception("a job met a fault of ours", action=claim.kind)
            _again(work, claim, f"{type(error).__name__}: {error}".splitlines()[0][:500], calls)


def _fail(claim: Claim, error: str, calls: int, *, record: Callable[[], None] | None = None) -> None:
    log.warning("job failed", action=claim.kind, error=error, attempts=claim.attempts)
    ledger.fail(claim, error, calls=calls, record=record)
    _count(claim, "failed")


def _wait(claim: Claim, reason: Exception, seconds: float, calls: int) -> None:
    log.debug("job waits", action=claim.kind, reason=str(reason), seconds=round(seconds, 3), calls=calls)
    ledger.defer(claim, seconds, error=str(reason).strip(), calls=calls, costs_attempt=False)
    _count(claim, "waited")


def _wait_for_vendor(claim: Claim, error: RemoteError, calls: int) -> None:
    """In an outage a probe that fails costs no attempt: its job waits as those do that could not even ask."""
    log.info("the vendor is still away", action=claim.kind, error=str(error), attempts=claim.attempts)
    if error.retry_after is None:
        wait = MustWait(breaker.until_the_next_probe(), f"{error.outage}: {error}")
        _wait(claim, wait, wait.seconds, calls)
    else:  # it was told when to come back: whoever closes the breaker does not wake it before
        _wait(claim, error, error.retry_after, calls)


def _again(work: Work, claim: Claim, error: str, calls: int, *, at_least: float = 0.0) -> None:
    if claim.last_attempt and not work.progressed:
        _fail(claim, error, calls)
        return
    backoff = PROGRESS_SECONDS if work.progressed else ledger.backoff_seconds(claim.attempts)
    wait = max(backoff, at_least)
    log.info("job will be tried again", action=claim.kind, error=error, attempts=claim.attempts, seconds=wait)
    ledger.defer(claim, wait, error=error, calls=calls, costs_attempt=not work.progressed)
    _count(claim, "retried")


def _end(end: Callable[[], None]) -> bool:
    """Carry out an end; PostgreSQL may be away for a moment.

    False: the job is not ours any more, or soon will not be: its lease lapses.
    """
    for attempt in range(1, AWAY_TRIES + 1):
        try:
            end()
            return True
        except LeaseLost as error:
            log.warning("lease lost", action="end", error=str(error))
            return False
        except DatabaseUnusable as error:
            log.warning("the end of a job waits for PostgreSQL", action="end", error=str(error).strip())
            time.sleep(AWAY_PAUSE_SECONDS * attempt)
    return False
