"""Figures of many rows, counted in the background: a page reads a handful of rows, however many there are.

`keep` runs in the dispatcher. Any number may run: each figure is taken by compare-and-set on when it was counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from models.database import execute, row, rows, transaction
from workers.full_sync import kept

QUEUE_SECONDS = 15.0
SITE_SECONDS = 10.0  # the least between two counts of a site
SITES_AT_ONCE = 10
STALE_SECONDS = 3600.0  # a site that nothing happened to is counted once an hour all the same
KEPT_DAYS = 7  # of minutes


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """Jobs by status. completed and failed are up to QUEUE_SECONDS old, and made up to now."""

    pending: int
    processing: int
    completed: int
    failed: int
    oldest_seconds: float

    @property
    def total(self) -> int:
        """All jobs that are still remembered."""
        return self.pending + self.processing + self.completed + self.failed


def keep() -> int:
    """Count what is due; gives how many figures that were."""
    return _keep_queue() + _keep_minute() + _keep_sites() + kept.keep()


def queue() -> QueueFigures:
    """How the ledger stands now."""
    found = row(_QUEUE)
    assert found is not None
    pending, processing, completed, failed, oldest = found
    return QueueFigures(pending, processing, completed, failed, float(oldest))


# What is open is few and has indexes of its own; what is over is kept, and made up by what ended since. Where nothing
# was counted yet, all are.
_QUEUE = """
    WITH kept AS (
        SELECT coalesce((value->>'completed')::bigint, 0) AS completed,
               coalesce((value->>'failed')::bigint, 0) AS failed, counted_at
        FROM rm_kept_figures WHERE name = 'queue'
        UNION ALL SELECT 0, 0, '-infinity' ORDER BY counted_at DESC LIMIT 1
    ), ended AS (
        SELECT count(*) FILTER (WHERE q.status = 'completed') AS completed,
               count(*) FILTER (WHERE q.status = 'failed') AS failed
        FROM (
            SELECT q.status FROM kept k JOIN rm_queue q ON q.finished_at > k.counted_at
            WHERE k.counted_at > '-infinity'
            UNION ALL
            SELECT q.status FROM rm_queue q WHERE (SELECT counted_at FROM kept) = '-infinity'
        ) q
    )
    SELECT (SELECT count(*) FROM rm_queue WHERE status = 'pending'),
           (SELECT count(*) FROM rm_queue WHERE status = 'processing'),
           kept.completed + ended.completed, kept.failed + ended.failed,
           coalesce((SELECT extract(epoch FROM now() - min(available_at)) FROM rm_queue
                     WHERE status = 'pending' AND available_at <= now()), 0)
    FROM kept, ended
"""

_COUNT_QUEUE = """
    UPDATE rm_kept_figures SET counted_at = now(), value = (
        SELECT jsonb_build_object('completed', count(*) FILTER (WHERE status = 'completed'),
                                  'failed', count(*) FILTER (WHERE status = 'failed'))
        FROM rm_queue WHERE status IN ('completed', 'failed'))
    WHERE name = 'queue' AND counted_at < now() - make_interval(secs => %s)
"""


def _keep_queue() -> int:
    execute("INSERT INTO rm_kept_figures (name) VALUES ('queue') ON CONFLICT DO NOTHING")
    with transaction():
        taken = row("SELECT 1 FROM rm_kept_figures WHERE name = 'queue' FOR UPDATE SKIP LOCKED")
        return execute(_COUNT_QUEUE, (QUEUE_SECONDS,)) if taken else 0


# The minute before this one: all that ended in it has a finished_at by now, but for what has yet to commit.
# What came in is looked for behind the newest job of two minutes before: an index on when jobs were made would cost
# each of them.
_COUNT_MINUTE = """
    WITH m AS MATERIALIZED (
        SELECT date_trunc('minute', now()) - interval '1 minute' AS minute,
               (SELECT coalesce(max(id), 0) FROM rm_queue) AS last_id
    ), before AS (
        SELECT max(x.last_id) AS last_id FROM rm_queue_minutes x JOIN m
            ON x.minute BETWEEN m.minute - interval '15 minutes' AND m.minute - interval '2 minutes'
    ), went AS (
        SELECT queue, status, count(*) AS number FROM rm_queue q JOIN m
            ON q.finished_at >= m.minute AND q.finished_at < m.minute + interval '1 minute' GROUP BY queue, status
    ), came AS (
        SELECT queue, count(*) AS number FROM rm_queue q, before, m
        WHERE q.id > before.last_id AND q.created_at >= m.minute AND q.created_at < m.minute + interval '1 minute'
        GROUP BY queue
    ), by_queue AS (
        SELECT queue, CASE WHEN EXISTS (SELECT FROM before WHERE last_id IS NOT NULL) THEN sum(came) END AS came,
               sum(went) AS went
        FROM (SELECT queue, number AS came, 0 AS went FROM came UNION ALL SELECT queue, 0, number FROM went) both_ways
        GROUP BY queue
    )
    INSERT INTO rm_queue_minutes (minute, completed, failed, pending, processing, oldest_seconds, last_id, queues)
    SELECT m.minute,
           coalesce((SELECT sum(number) FROM went WHERE status = 'completed'), 0),
           coalesce((SELECT sum(number) FROM went WHERE status = 'failed'), 0),
           (SELECT count(*) FROM rm_queue WHERE status = 'pending'),
           (SELECT count(*) FROM rm_queue WHERE status = 'processing'),
           coalesce((SELECT extract(epoch FROM now() - min(available_at)) FROM rm_queue
                     WHERE status = 'pending' AND available_at <= now()), 0),
           m.last_id,
           coalesce((SELECT jsonb_object_agg(queue, jsonb_build_object('in', came, 'out', went)) FROM by_queue), '{}')
    FROM m WHERE NOT EXISTS (SELECT FROM rm_queue_minutes x WHERE x.minute = m.minute)
    ON CONFLICT DO NOTHING
"""


def _keep_minute() -> int:
    return execute(_COUNT_MINUTE)


# A site is due once anything of it has ended since its last count, and now and then anyway.
_DUE_SITES = """
    SELECT s.id FROM rm_sites s LEFT JOIN rm_site_figures f ON f.site_id = s.id
    WHERE f.counted_at IS NULL OR f.counted_at < now() - make_interval(secs => %(stale)s)
       OR (f.counted_at < now() - make_interval(secs => %(least)s)
           AND s.id IN (SELECT q.site_id FROM rm_queue q
                        WHERE q.finished_at > now() - make_interval(secs => %(stale)s)
                          AND q.site_id IS NOT NULL AND q.finished_at > f.counted_at))
    ORDER BY f.counted_at NULLS FIRST LIMIT %(most)s
"""
_COUNT_SITE = """
    WITH judged AS (
        SELECT {state} AS state, i.skip_reason AS reason, count(*) AS number
        FROM rm_items i WHERE i.site_id = %(site)s AND i.active GROUP BY 1, 2
    )
    INSERT INTO rm_site_figures AS f
        (site_id, active, agreeing, drifting, skipped, failed, unsettled, reasons, counted_at)
    SELECT %(site)s, coalesce(sum(number), 0),
           coalesce(sum(number) FILTER (WHERE state = 'agreeing'), 0),
           coalesce(sum(number) FILTER (WHERE state = 'drifting'), 0),
           coalesce(sum(number) FILTER (WHERE state = 'skipped'), 0),
           coalesce(sum(number) FILTER (WHERE state = 'failed'), 0),
           coalesce(sum(number) FILTER (WHERE state = 'unsettled'), 0),
           coalesce(jsonb_object_agg(reason, number) FILTER (WHERE reason IS NOT NULL), '{{}}'), now()
    FROM judged
    ON CONFLICT (site_id) DO UPDATE SET
        active = excluded.active, agreeing = excluded.agreeing, drifting = excluded.drifting,
        skipped = excluded.skipped, failed = excluded.failed, unsettled = excluded.unsettled,
        reasons = excluded.reasons, counted_at = now()
    WHERE f.counted_at < excluded.counted_at
"""
STATE_SQL = """CASE
    WHEN i.skip_reason IS NOT NULL THEN 'skipped'
    WHEN i.failure IS NOT NULL THEN 'failed'
    WHEN i.unsure OR i.wanted IS NULL OR i.shown IS NULL THEN 'unsettled'
    WHEN i.shown = i.wanted THEN 'agreeing'
    WHEN i.drift_since IS NOT NULL THEN 'drifting'
    ELSE 'unsettled' END"""
"""How an active row `i` of rm_items stands: each row has one state."""
ITEM_STATES = ("agreeing", "drifting", "skipped", "failed", "unsettled")


def _keep_sites() -> int:
    due = rows(_DUE_SITES, {"stale": STALE_SECONDS, "least": SITE_SECONDS, "most": SITES_AT_ONCE})
    statement = _COUNT_SITE.format(state=STATE_SQL)
    return sum(execute(statement, {"site": site_id}) for (site_id,) in due)


@dataclass(frozen=True, slots=True)
class Minute:
    """One point of the charts. queues: what came in and what went out, by queue; those without any are absent."""

    minute: datetime
    completed: int
    failed: int
    oldest_seconds: float
    queues: Mapping[str, Mapping[str, int | None]]

    def rate(self, queue: str, way: str) -> int | None:
        """Jobs of a queue that came `in`, or went `out`, in this minute; None: it isn't known."""
        return self.queues.get(queue, {"in": 0, "out": 0})[way]


def minutes(most: int = 60) -> list[Minute]:
    """The last minutes that were kept, the oldest first; those in which no dispatcher ran are absent."""
    found = rows(
        "SELECT minute, completed, failed, oldest_seconds, queues FROM rm_queue_minutes"
        " WHERE minute >= now() - make_interval(mins => %s) ORDER BY minute",
        (most + 1,),
    )
    return [Minute(*values) for values in found]
