"""One breaker per site and per company, for the whole fleet: a shop that is down costs one probe in 20 s.

closed: `check` lets everybody pass. open: one prober in PROBE_SECONDS passes (half-open), the others wait.
Any answer of the vendor, a refusal too, shows that it is alive: tell `succeeded`. An outage costs no job its
attempts, the probing ones neither, unless it lasts longer than PATIENCE_SECONDS.
Redis away: `check` lets everybody pass and nothing is counted; each job's own backoff has to do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from models.database import DatabaseUnavailable, rows
from workers import limit_scripts
from workers.errors import MustWait, RateLimited, RemoteError
from workers.jobs import QUEUES
from workers.outbox import committing, hint_after_commit
from workers.redis_client import RedisAwayError, attempt, run_script

FAILURES_TO_OPEN = 5  # in a row; fewer would open it on one bad minute of a host
PROBE_SECONDS = 20.0
PATIENCE_SECONDS = 600.0  # an outage of a run-down host; what fails for longer ends with its reason
WAITING = "is failing (breaker open)"
KEPT_SECONDS = 86_400  # what is older is forgotten
SPREAD_SECONDS = 2.0  # so that those who wait don't all come back at the same instant

log = structlog.get_logger()


def site_scope(site_id: int) -> str:
    """The scope of a site's shop."""
    return f"site:{site_id}"


def company_scope(company_id: int) -> str:
    """The scope of a Business Central company."""
    return f"company:{company_id}"


def waiting(scope: str) -> str:
    """Why a job waits: what its `error` begins with, by which it is found again when the breaker closes."""
    return f"{scope} {WAITING}"


@contextmanager
def watching(scope: str) -> Iterator[None]:
    """Calls to another vendor than the job's own: passes or raises MustWait, then tells how they went."""
    check(scope)
    try:
        yield
    except RemoteError as error:
        tell(scope, error, answered=False)
        error.told_breaker = True
        raise
    succeeded(scope)


def tell(scope: str, error: Exception, *, answered: bool) -> None:
    """Tell how a job ended badly. A refusal shows that the vendor is alive; so does a call answered before."""
    if not isinstance(error, RemoteError) or error.told_breaker:
        return
    if answered or error.permanent or isinstance(error, RateLimited):
        succeeded(scope)
    if not (error.permanent or isinstance(error, RateLimited)):
        error.outage = waiting(scope) if failed(scope) else None


def check(scope: str) -> None:
    """Pass, or raise MustWait where the breaker is open and somebody else probes."""
    try:
        milliseconds = int(run_script(limit_scripts.BREAKER_CHECK, [_key(scope)], [_ms(PROBE_SECONDS)]))
    except RedisAwayError:
        return
    if milliseconds > 0:
        raise MustWait(_spread(milliseconds / 1000), waiting(scope))


def failed(scope: str) -> bool:
    """Tell of a transient failure. The fifth in a row opens the breaker; a prober's keeps it open.

    True where it is open, and not yet for longer than anybody has patience: whoever failed waits for a probe.
    """
    arguments = [_ms(PROBE_SECONDS), FAILURES_TO_OPEN, _ms(KEPT_SECONDS)]
    try:
        opened, open_for = map(int, run_script(limit_scripts.BREAKER_FAILED, [_key(scope)], arguments))
    except RedisAwayError:
        return False
    if opened:
        log.warning("Breaker opened", action="breaker.opened", scope=scope)
    return 0 <= open_for < _ms(PATIENCE_SECONDS)


def until_the_next_probe() -> float:
    """Seconds that a prober waits after its failure, if nobody else has found the vendor alive before."""
    return _spread(PROBE_SECONDS)


def succeeded(scope: str) -> bool:
    """Tell of a call that was answered. True where that just closed the breaker: who waits is due now."""
    try:
        closed = bool(int(run_script(limit_scripts.BREAKER_SUCCEEDED, [_key(scope)], [])))
    except RedisAwayError:
        return False
    if closed:
        log.info("Breaker closed", action="breaker.closed", scope=scope)
        try:
            _wake(scope)
        except DatabaseUnavailable as error:  # they wait for as long as a probe would have
            log.warning("Nobody woken", action="breaker.closed", scope=scope, error=str(error).strip())
    return closed


def open_seconds(scope: str) -> float | None:
    """For how long the breaker has been open; None: it is closed. Raises RedisAwayError."""
    opened = attempt(lambda redis_client: redis_client.hget(_key(scope), "opened"))
    if opened is None:
        return None
    seconds, microseconds = attempt(lambda redis_client: redis_client.time())
    return max(seconds + microseconds / 1e6 - int(opened) / 1000, 0.0)


def _wake(scope: str) -> None:
    """What waited for this breaker is due at once.

    Only that: whoever was told by the vendor when to come back, or backs off, keeps its own time.
    """
    kind, _, owner = scope.partition(":")
    # A site's job may wait for its company too, where it asks Business Central.
    owned = "site_id = %(owner)s"
    if kind == "company":
        sites = "ARRAY(SELECT id FROM rm_sites WHERE company_id = %(owner)s)"
        owned = f"((site_id IS NULL AND company_id = %(owner)s) OR site_id = ANY ({sites}))"
    with committing():
        # Those that are locked are just being ended or cancelled: they don't wait.
        woken = rows(
            f"""
            UPDATE rm_queue SET available_at = now(), hinted_at = NULL, hint_count = 0, updated_at = now()
            WHERE id IN (
                SELECT id FROM rm_queue
                WHERE status = 'pending' AND queue = ANY (%(queues)s) AND {owned}
                  AND available_at > now() AND starts_with(error, %(reason)s)
                ORDER BY id FOR UPDATE SKIP LOCKED)
            RETURNING queue
            """,
            {"queues": list(QUEUES), "owner": int(owner), "reason": waiting(scope)},
        )
        for (queue,) in woken:
            hint_after_commit(queue)


def _key(scope: str) -> str:
    return f"inventory-sync:breaker:{scope}"


def _spread(seconds: float) -> float:
    return seconds + random.uniform(0, SPREAD_SECONDS)  # noqa: S311 - a spread, no secret


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
