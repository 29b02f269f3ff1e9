"""Hints: Dramatiq messages that carry a job's id and nothing else. Lost, late or twice, nothing breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import structlog

from models.database import execute
from models.prepared import Prepared
from workers.leases import OVERTAKES

log = structlog.get_logger()

PER_SITE = 16
"""Hinted but unfinished jobs a site may have in one queue: one huge site can't starve the rest."""
REHINT_SECONDS = 15.0
REHINT_LONGEST_SECONDS = 120.0
BREAKER_SECONDS = 2.0  # after a failed send, Redis is left alone for this long

Sender = Callable[[str, int], None]

# The jobs of one site, in the order of their index; `{{of}}` says of which.
_JOBS_OF = f"""
    SELECT q.id, q.priority FROM rm_queue q
    WHERE q.status = 'pending' AND q.queue = %(queue)s AND {{of}} AND q.available_at <= now()
      AND (q.hinted_at IS NULL OR (%(again)s AND q.hinted_at < now() - make_interval(
            secs => least(%(rehint)s * power(2, greatest(q.hint_count - 1, 0)), %(longest)s))))
      AND (q.store_key IS NULL OR (
            NOT EXISTS (SELECT FROM rm_store_leases s WHERE s.store_key = q.store_key AND s.expires_at > now())
            AND q.id = (SELECT n.id FROM rm_queue n
                        WHERE n.store_key = q.store_key AND n.status = 'pending' AND n.queue = q.queue
                          AND n.available_at <= now()
                        ORDER BY n.priority, n.id LIMIT 1)
            AND NOT EXISTS (SELECT FROM rm_queue n
                            WHERE n.store_key = q.store_key AND n.priority < q.priority AND {OVERTAKES})))
    ORDER BY q.priority, q.id
    LIMIT greatest(%(per_site)s - coalesce(busy.held, 0), 0)
"""
# A place is a site; what belongs to no site shares place 0. Places are found by leaps from one to the next, and
# of each only its best jobs are read: a site with 100,000 jobs waiting slows nobody down, nor do hundreds of sites
# that wait for their turn in a night's spread. Jobs that are done together share a token and count once.
_PICK = Prepared(
    f"""
    WITH RECURSIVE places AS (
        SELECT 0 AS place
        UNION ALL
        SELECT (SELECT q.site_id FROM rm_queue q
                WHERE q.status = 'pending' AND q.queue = %(queue)s AND q.site_id > places.place
                  AND q.available_at <= now()
                ORDER BY q.site_id LIMIT 1)
        FROM places WHERE places.place IS NOT NULL
    ), busy AS MATERIALIZED (
        SELECT place, count(*) AS held FROM (
            (SELECT DISTINCT coalesce(site_id, 0) AS place, lease_token FROM rm_queue
             WHERE status = 'processing' AND queue = %(queue)s)
            UNION ALL
            (SELECT coalesce(site_id, 0), NULL FROM rm_queue
             WHERE status = 'pending' AND queue = %(queue)s
               AND hinted_at > now() - make_interval(secs => %(rehint)s))) jobs
        GROUP BY place
    ), picked AS (
        SELECT job.id FROM places LEFT JOIN busy USING (place)
        CROSS JOIN LATERAL (
            ({_JOBS_OF.format(of="q.site_id = places.place")})
            UNION ALL
            ({_JOBS_OF.format(of="q.site_id IS NULL AND places.place = 0")})
        ) job
        ORDER BY job.priority, job.id
        LIMIT %(most)s
    ), locked AS (
        -- Whoever picked the same rows a moment ago has hinted them by now.
        SELECT id FROM rm_queue WHERE id IN (SELECT id FROM picked) AND status = 'pending'
          AND (hinted_at IS NULL OR hinted_at < now() - make_interval(secs => %(rehint)s))
        FOR UPDATE SKIP LOCKED
    )
    UPDATE rm_queue SET hinted_at = now(), hint_count = hint_count + 1
    FROM locked WHERE rm_queue.id = locked.id RETURNING rm_queue.id, rm_queue.priority
    """,
    queue="text", most="integer", again="boolean", per_site="integer", rehint="double precision",
    longest="double precision",
)  # fmt: skip


class Hints:
    """Sends hints; where Redis is away the row waits for the dispatcher and nobody notices."""

    def __init__(self) -> None:
        self._sender: Sender | None = None
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def use(self, sender: Sender | None) -> None:
        """Set how this process sends; None = it doesn't, the dispatcher will."""
        self._sender = sender
        self._closed_until = 0.0

    @property
    def ready(self) -> bool:
        """False where this process has no sender, or Redis has just failed."""
        return self._sender is not None and time.monotonic() >= self._closed_until

    def send(self, hints: Iterable[tuple[str, int]]) -> int:
        """Send (queue, job id) pairs, in order, and give how many went out. Never raises for Redis."""
        sent = 0
        for queue, job_id in hints:
            if self._sender is None or not self.ready:
                break
            try:
                self._sender(queue, job_id)
            except Exception as error:  # whatever Redis or its client does, the ledger holds the work
                with self._lock:
                    self._closed_until = time.monotonic() + BREAKER_SECONDS
                log.warning("hint not sent", action="hint", job_id=job_id, error=str(error))
                break
            sent += 1
        return sent


hints = Hints()


def pick(queue: str, most: int, *, again: bool = False) -> list[int]:
    """Mark up to `most` due jobs of a queue as hinted, best first, and give their ids.

    again: also those whose hint seems lost (hinted over 15 s ago, doubling to 2 minutes): the dispatcher's part.
    """
    parameters = {
        "queue": queue,
        "most": most,
        "again": again,
        "per_site": PER_SITE,
        "rehint": REHINT_SECONDS,
        "longest": REHINT_LONGEST_SECONDS,
    }
    found = _PICK.rows(parameters)
    return [job_id for job_id, _ in sorted(found, key=lambda pair: (pair[1], pair[0]))]


def hint_due(queue: str, most: int, *, again: bool = False) -> int:
    """Pick and send; gives how many hints went out. What Redis did not take is not hinted."""
    if not hints.ready:
        return 0
    picked = pick(queue, most, again=again)
    sent = hints.send((queue, job_id) for job_id in picked)
    if sent < len(picked):
        execute("UPDATE rm_queue SET hinted_at = NULL WHERE id = ANY (%s)", (picked[sent:],))
    return sent
