"""The daily clean-up: what is older than its retention goes, in batches that lock little."""

from __future__ import annotations

from models import setting
from models.database import execute, transaction
from workers import figures, leaving, sessions
from workers.jobs import Done, Work

BATCH_ROWS = 5_000
ZEROING_DAYS = 1  # the guard looks back an hour
AUDIT_DAYS = 365
SIGN_IN_DAYS = 1
BATCH_RUNS = 20  # a run takes its jobs and up to a catalogue of pushes with it

# Ids as an array: of a subquery the planner may make a join that reads the whole table for each batch.
_WEBHOOKS = """
    DELETE FROM rm_webhook_log WHERE id = ANY (ARRAY(
        SELECT id FROM rm_webhook_log WHERE received_at < now() - make_interval(days => %s)
        ORDER BY received_at LIMIT %s))
"""
_REJECTIONS = """
    DELETE FROM rm_webhook_rejections WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rm_webhook_rejections WHERE hour < now() - make_interval(days => %s)
        ORDER BY hour LIMIT %s))
"""
_ZEROINGS = """
    DELETE FROM rm_zeroings WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rm_zeroings WHERE at < now() - make_interval(days => %s) LIMIT %s))
"""
_JOBS = """
    DELETE FROM rm_queue WHERE id = ANY (ARRAY(
        SELECT id FROM rm_queue WHERE run_id IS NULL AND finished_at < now() - make_interval(days => %s)
        ORDER BY finished_at LIMIT %s))
"""
_RUNS = """
    DELETE FROM rm_sync_runs WHERE id = ANY (ARRAY(
        SELECT id FROM rm_sync_runs WHERE finished_at < now() - make_interval(days => %s)
        ORDER BY finished_at LIMIT %s))
"""
_REFRESHES = """
    DELETE FROM rm_stock_refreshes WHERE id IN (
        SELECT f.id FROM rm_stock_refreshes f
        WHERE f.finished_at < now() - make_interval(days => %s)
          AND NOT EXISTS (SELECT FROM rm_sync_runs r WHERE r.refresh_id = f.id) LIMIT %s)
"""
# Those of the last weeks say what is decided already, however short the retention.
_NIGHTS = """
    DELETE FROM rm_site_schedule_log WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rm_site_schedule_log WHERE local_date < current_date - greatest(%s, 31)
        ORDER BY local_date LIMIT %s))
"""

_ALERTS = """
    DELETE FROM rm_alerts WHERE id = ANY (ARRAY(
        SELECT id FROM rm_alerts WHERE resolved_at < now() - make_interval(days => %s)
        ORDER BY resolved_at LIMIT %s))
"""
_AUDIT = """
    DELETE FROM rm_audit_log WHERE id = ANY (ARRAY(
        SELECT id FROM rm_audit_log WHERE at < now() - make_interval(days => %s) ORDER BY at LIMIT %s))
"""
_MINUTES = """
    DELETE FROM rm_queue_minutes WHERE minute IN (
        SELECT minute FROM rm_queue_minutes WHERE minute < now() - make_interval(days => %s) LIMIT %s)
"""
_SESSIONS = """
    DELETE FROM rm_sessions WHERE id IN (
        SELECT id FROM rm_sessions WHERE last_seen_at < now() - make_interval(days => %s) LIMIT %s)
"""
_SIGN_IN_FAILURES = """
    DELETE FROM rm_sign_in_failures WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rm_sign_in_failures WHERE at < now() - make_interval(days => %s) LIMIT %s))
"""


def clean_up(work: Work) -> Done:
    """Delete old webhook deliveries and their counts, finished jobs and runs, alerts; gives how many of each.

    What is left of a deleted site gets a job anew, where its own has failed.
    """
    settings = setting.read_all()
    webhooks, queue = settings["webhook_log_retention_days"], settings["queue_retention_days"]
    return Done(
        jobs=leaving.forgotten(),
        result={
            "webhook_log": _delete(_WEBHOOKS, webhooks, BATCH_ROWS),
            "webhook_rejections": _delete(_REJECTIONS, webhooks, BATCH_ROWS),
            "zeroings": _delete(_ZEROINGS, ZEROING_DAYS, BATCH_ROWS),
            "jobs": _delete(_JOBS, queue, BATCH_ROWS),
            "runs": _delete(_RUNS, queue, BATCH_RUNS),
            "nights": _delete(_NIGHTS, queue, BATCH_ROWS),
            "refreshes": _delete(_REFRESHES, queue, BATCH_ROWS),
            "alerts": _delete(_ALERTS, queue, BATCH_ROWS),
            "audit": _delete(_AUDIT, AUDIT_DAYS, BATCH_ROWS),
            "minutes": _delete(_MINUTES, figures.KEPT_DAYS, BATCH_ROWS),
            "sessions": _delete(_SESSIONS, sessions.IDLE_DAYS, BATCH_ROWS),
            "sign_in_failures": _delete(_SIGN_IN_FAILURES, SIGN_IN_DAYS, BATCH_ROWS),
        },
    )


def _delete(statement: str, days: int, batch: int) -> int:
    total = 0
    while True:
        with transaction():
            deleted = execute(statement, (days, batch))
        total += deleted
        if deleted < batch:
            return total
