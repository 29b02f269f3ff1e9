"""What is wrong now, decided in PostgreSQL from what is stored.

A sentence must stay the same while nothing changes: what counts up or moves by itself (ages, numbers of runs,
ids) belongs in the details, or each look would be another message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import setting
from models.database import rows
from workers.jobs import QUEUES
from workers.webhooks import rounds

SEND = "alert.send"
"""The kind of job that sends an alert; its waiting is no alert, since nobody could be told of it."""

HEADS = 50  # of the jobs of one site that wait in one queue: the next in line, whatever waits behind them


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is wrong. `subject` is what it is about, such as site:5."""

    kind: str
    subject: str
    sentence: str
    details: Mapping[str, Any]
    site_id: int | None


# A run that was cancelled, or is not over, says nothing of its site.
_RUNS = """
    WITH last AS (
        SELECT s.id AS site_id, s.name, r.*
        FROM rm_sites s CROSS JOIN LATERAL (
            SELECT id AS run_id, status, error, finished_at, row_number() OVER (ORDER BY id DESC) AS nth
            FROM rm_sync_runs WHERE site_id = s.id AND status IN ('completed', 'failed', 'held')
            ORDER BY id DESC LIMIT %(in_a_row)s) r
        WHERE s.active
    )
    SELECT CASE status WHEN 'held' THEN 'run_held' ELSE 'run_failed' END, 'site:' || site_id,
           'The sync of ' || name || CASE status WHEN 'held' THEN ' is held: ' ELSE ' failed: ' END
               || coalesce(error, 'no reason is known'),
           jsonb_build_object('run_id', run_id, 'finished_at', finished_at), site_id
    FROM last WHERE nth = 1 AND status IN ('failed', 'held')
    UNION ALL
    SELECT 'site_failing', 'site:' || site_id,
           name || ' keeps failing: ' || %(in_a_row)s || ' syncs in a row, or more, did not come through',
           jsonb_build_object('last_run_id', max(run_id), 'last_error', max(error) FILTER (WHERE nth = 1)), site_id
    FROM last GROUP BY site_id, name HAVING count(*) = %(in_a_row)s AND bool_and(status = 'failed')
"""
_REFUSALS = """
    SELECT 'credentials_refused', r.subject,
           CASE WHEN r.company_id IS NOT NULL THEN 'Business Central' ELSE 'The shop' END
           || CASE r.reason WHEN 'credentials' THEN ' refuses the credentials of '
                            ELSE ' refuses something for want of a permission to ' END
           || coalesce(c.name, s.name),
           jsonb_build_object('error', r.error, 'job_id', r.job_id, 'refused_at', r.refused_at),
           CASE WHEN r.company_id IS NULL THEN r.site_id END
    FROM rm_refusals r LEFT JOIN rm_sites s ON s.id = r.site_id LEFT JOIN rm_companies c ON c.id = r.company_id
    WHERE CASE WHEN r.company_id IS NULL THEN s.active
               ELSE EXISTS (SELECT FROM rm_sites o WHERE o.company_id = r.company_id AND o.active) END
"""
# What the last look at the shop found; or that the hourly one had to repair something: until the next finds all well.
_WEBHOOKS = f"""
    SELECT 'webhooks_disabled', 'site:' || s.id,
           CASE WHEN broken.topics IS NOT NULL
                THEN 'The shop of ' || s.name || ' does not tell us of everything: ' || broken.topics
                ELSE 'The shop of ' || s.name || ' had dropped webhooks, which were restored: ' || mended.topics END,
           jsonb_build_object('checked_at', s.webhooks_checked_at), s.id
    FROM rm_sites s
    CROSS JOIN LATERAL (
        SELECT string_agg(t.key || ' is ' || (t.value ->> 'state'), ', ' ORDER BY t.key) AS topics
        FROM jsonb_each(s.webhooks -> 'topics') t WHERE t.value ->> 'state' <> 'healthy') broken
    CROSS JOIN LATERAL (
        SELECT (extract(epoch FROM clock_timestamp())::bigint
                - mod(s.id::bigint * {rounds.SPREAD}, {rounds.PERIOD_SECONDS})) / {rounds.PERIOD_SECONDS} AS slot) h
    LEFT JOIN LATERAL (
        SELECT q.result FROM rm_queue q
        WHERE q.unique_key IN ('{rounds.KIND}:' || s.id || ':' || h.slot, '{rounds.KIND}:' || s.id || ':' || h.slot - 1)
          AND q.status = 'completed' ORDER BY q.id DESC LIMIT 1) looked ON true
    CROSS JOIN LATERAL (
        SELECT string_agg(topic, ', ' ORDER BY topic) AS topics
        FROM jsonb_array_elements_text(coalesce(looked.result -> 'restored', '[]')
                                       || coalesce(looked.result -> 'created', '[]')) topic) mended
    WHERE s.active AND s.webhooks ? 'registered_at' AND coalesce(broken.topics, mended.topics) IS NOT NULL
"""
# Of each queue and site the jobs that are next in line, found by leaps as hints are. One that was started before
# and became due at a person's or the breaker's word (both times are of one moment) waits since then. A run's or
# a refresh's jobs wait for each other: while one of them is done now and then, it moves.
_WAITING = f"""
    WITH RECURSIVE places AS (
        SELECT queue, 0 AS place FROM unnest(%(queues)s) AS queue
        UNION ALL
        SELECT queue, (SELECT q.site_id FROM rm_queue q
                       WHERE q.status = 'pending' AND q.queue = places.queue AND q.site_id > places.place
                       ORDER BY q.site_id LIMIT 1)
        FROM places WHERE place IS NOT NULL
    ), heads AS (
        SELECT job.* FROM places CROSS JOIN LATERAL (
            (SELECT * FROM rm_queue q WHERE q.status = 'pending' AND q.queue = places.queue
               AND q.site_id = places.place ORDER BY q.priority, q.id LIMIT {HEADS})
            UNION ALL
            (SELECT * FROM rm_queue q WHERE q.status = 'pending' AND q.queue = places.queue
               AND q.site_id IS NULL AND places.place = 0 AND q.kind <> '{SEND}'
             ORDER BY q.priority, q.id LIMIT {HEADS})) job
    ), late AS (
        SELECT DISTINCT ON (queue, run_id, step, refresh_id) *
        FROM (SELECT *, CASE WHEN available_at = updated_at AND started_at IS NOT NULL THEN available_at
                             ELSE least(created_at, available_at) END AS since FROM heads) aged
        WHERE since < now() - make_interval(mins => %(minutes)s)
        ORDER BY queue, run_id, step, refresh_id, since
    )
    SELECT DISTINCT ON (queue) 'oldest_job', 'queue:' || queue,
           'Jobs of the queue ' || queue || ' have waited for more than ' || %(minutes)s || ' minutes',
           jsonb_build_object('job_id', id, 'kind', kind, 'site_id', site_id, 'since', since, 'error', error),
           NULL::integer
    FROM late
    WHERE NOT EXISTS (
        SELECT FROM rm_queue o WHERE o.run_id = late.run_id AND o.step = late.step
          AND (o.status = 'processing' OR o.finished_at > now() - make_interval(mins => %(minutes)s)))
      AND NOT EXISTS (
        SELECT FROM rm_queue o WHERE o.refresh_id = late.refresh_id AND late.run_id IS NULL
          AND (o.status = 'processing' OR o.finished_at > now() - make_interval(mins => %(minutes)s)))
    ORDER BY queue, since
"""
# The common night, and the nights of sites with a time of their own.
_SCHEDULE = """
    SELECT 'schedule_missed', 'schedule:' || schedule,
           'The schedule ' || schedule || ' missed its day ' || local_date,
           jsonb_build_object('due_at', due_at), NULL::integer
    FROM (SELECT DISTINCT ON (schedule) schedule, local_date, due_at, outcome FROM rm_schedule_log
          WHERE outcome IN ('started', 'missed') ORDER BY schedule, local_date DESC) decided
    WHERE outcome = 'missed'
    UNION ALL
    SELECT 'schedule_missed', 'site:' || s.id, 'The nightly sync of ' || s.name || ' missed its day ' || l.local_date,
           jsonb_build_object('due_at', l.due_at), s.id
    FROM rm_sites s CROSS JOIN LATERAL (
        SELECT local_date, due_at, outcome FROM rm_site_schedule_log
        WHERE site_id = s.id AND outcome IN ('started', 'missed') ORDER BY local_date DESC LIMIT 1) l
    WHERE s.active AND s.full_sync_enabled AND l.outcome = 'missed'
"""
KINDS = (
    "run_failed",
    "run_held",
    "site_failing",
    "credentials_refused",
    "webhooks_disabled",
    "oldest_job",
    "schedule_missed",
)
_LONGEST = 600  # characters of a sentence: a message, not a log


def holding() -> list[Condition]:
    """All that is wrong at this moment."""
    settings = setting.read_all()
    parameters = {
        "in_a_row": settings["alert_failures_in_a_row"],
        "minutes": settings["alert_oldest_job_minutes"],
        "queues": list(QUEUES),
    }
    found = rows(_ALL, parameters)
    return [
        Condition(kind, subject, _line(sentence), details, site_id)
        for kind, subject, sentence, details, site_id in found
    ]


_PARTS = (_RUNS, _REFUSALS, _WEBHOOKS, _WAITING, _SCHEDULE)
_ALL = f"SELECT * FROM ({' UNION ALL '.join(f'({part})' for part in _PARTS)}) AS wrong"


def _line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
