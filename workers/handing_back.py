"""A worker that is told to end finishes what it holds or gives it back: nothing waits for a lease to lapse.

Jobs end or go back by themselves (workers/stopping.py). One that still holds on when every call must have passed its
deadline hangs, and is given back from outside.
"""

from __future__ import annotations

import threading

import dramatiq
import structlog

from models.config import settings
from workers import ledger, stopping
from workers.errors import LeaseLost
from workers.jobs import Claim
from workers.leases import doubt, heartbeat

log = structlog.get_logger()

# After the last write has passed its deadline; before --worker-shutdown-timeout, which a test holds to this.
MARGIN_SECONDS = 1.0


def give_back(claims: list[Claim]) -> int:
    """Make jobs wait again that this process holds and will not end; gives how many it still held."""
    given = 0
    for claim in claims:
        try:
            doubt(
                claim.id
            )  # what was under way has an unknown outcome: it is read again before the next write
            ledger.defer(claim, 0.0, error=stopping.REASON, costs_attempt=False)
        except LeaseLost:
            continue
        except Exception:  # PostgreSQL may be away; the others may still be given back
            log.exception("a job was not given back", action="stop", job_id=claim.id)
            continue
        given += 1
    return given


class HandsBack(dramatiq.Middleware):
    """Dramatiq's hook: SIGTERM has come, and its threads are given --worker-shutdown-timeout."""

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """No more calls; what hangs is given back in the end."""
        stopping.begin()
        threading.Thread(target=self._last_moment, name="stopping", daemon=True).start()

    @staticmethod
    def _last_moment() -> None:
        threading.Event().wait(settings().write_deadline_seconds + MARGIN_SECONDS)
        if given := give_back(heartbeat.held()):
            log.warning("jobs that hang were given back", action="stop", jobs=given)
