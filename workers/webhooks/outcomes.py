"""What became of deliveries, set in the transaction that ends their job."""

from __future__ import annotations

from collections.abc import Sequence

from models.database import execute, rows
from workers import metrics

_ENTRY = """history || jsonb_build_object(
    'at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'outcome', %(outcome)s::text, 'error', %(error)s::text, 'job_id', job_id)"""


def completed(job_ids: Sequence[int]) -> None:
    """The jobs did their work: so are their deliveries. In the transaction that ends the jobs.

    Their effect took as long as since they came, or since a person asked for them again.
    """
    found = rows(
        f"""
        UPDATE rm_webhook_log l SET status = 'completed', attempts = attempts + 1, error_message = NULL,
            processed_at = clock_timestamp(), history = {_ENTRY}
        WHERE job_id = ANY (%(jobs)s) AND status IN ('received', 'failed')
        RETURNING (SELECT platform FROM rm_sites s WHERE s.id = l.site_id), extract(epoch FROM processed_at
            - greatest(received_at, (SELECT created_at FROM rm_queue q WHERE q.id = l.job_id)))::float8
        """,
        {"jobs": list(job_ids), "outcome": "completed", "error": None},
    )
    for platform, seconds in found:
        metrics.webhook_effect_seconds.labels(platform).observe(seconds)


def ignored(job_ids: Sequence[int], why: str) -> None:
    """Nothing was to be done any more. In the transaction that ends the jobs."""
    execute(
        f"""
        UPDATE rm_webhook_log SET status = 'ignored', error_message = %(error)s, processed_at = clock_timestamp(),
            history = {_ENTRY}
        WHERE job_id = ANY (%(jobs)s) AND status IN ('received', 'failed')
        """,
        {"jobs": list(job_ids), "outcome": "ignored", "error": why},
    )


def attempt_failed(job_ids: Sequence[int], error: str) -> None:
    """One attempt failed; the jobs may be tried again."""
    execute(
        f"""
        UPDATE rm_webhook_log SET attempts = attempts + 1, error_message = %(error)s, history = {_ENTRY}
        WHERE job_id = ANY (%(jobs)s) AND status IN ('received', 'failed')
        """,
        {"jobs": list(job_ids), "outcome": "failed", "error": error},
    )


def job_failed(job_id: int, error: str) -> None:
    """The job has failed for good, and so have its deliveries. In the transaction that ends it.

    The last attempt has told of itself, unless its worker died or the job was cancelled.
    """
    execute(
        f"""
        UPDATE rm_webhook_log SET status = 'failed', error_message = %(error)s, processed_at = clock_timestamp(),
            attempts = greatest(attempts, 1),
            history = CASE WHEN history -> -1 ->> 'outcome' = 'failed' AND history -> -1 -> 'job_id' = to_jsonb(job_id)
                                AND starts_with(%(error)s, history -> -1 ->> 'error') THEN history
                           ELSE {_ENTRY} END
        WHERE job_id = %(job)s AND status = 'received'
        """,
        {"error": error, "job": job_id, "outcome": "failed"},
    )
