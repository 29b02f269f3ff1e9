"""What became of deliveries: set with the end of their job, or done again when a person asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from models.database import execute, row, rows
from models.webhook_log import FAILED, WebhookLog
from workers import ledger, metrics
from workers.errors import Conflict, UnknownRecord
from workers.jobs import WEBHOOKS, Priority
from workers.webhooks.intake import FOLD_KEY_SQL, KIND

REPLAYED_AT_ONCE = 500

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


def on_failed(job_id: int, error: str) -> None:
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


_REPLAY = f"""
    WITH wanted AS (
        SELECT id, site_id, product_id FROM rm_webhook_log WHERE id = ANY (%(ids)s) AND product_id IS NOT NULL
        FOR UPDATE
    ), jobs AS (
        INSERT INTO rm_queue AS q (kind, queue, priority, payload, site_id, fold_key, request_id)
        SELECT DISTINCT '{KIND}', '{WEBHOOKS}', {int(Priority.PERSON)}, jsonb_build_object('product', product_id),
               site_id, {FOLD_KEY_SQL}, %(request)s
        FROM wanted
        ON CONFLICT (fold_key) WHERE status = 'pending' AND fold_key IS NOT NULL
            DO UPDATE SET folded = q.folded + 1
        RETURNING q.id, q.site_id, (q.payload ->> 'product')::bigint AS product_id
    )
    UPDATE rm_webhook_log l SET status = 'received', job_id = jobs.id, processed_at = NULL
    FROM wanted JOIN jobs USING (site_id, product_id) WHERE l.id = wanted.id
    RETURNING l.id
"""


def replay(delivery_id: int, *, request_id: str | None = None) -> int:
    """Do one delivery again; gives its job's id. Raises UnknownRecord, Conflict (`not_replayable`)."""
    found = row("SELECT product_id, status FROM rm_webhook_log WHERE id = %s", (delivery_id,))
    if found is None:
        raise UnknownRecord("delivery")
    product_id, status = found
    if product_id is None or status == "rejected":
        raise Conflict("not_replayable", "this delivery asks for nothing: there is nothing to do again")
    replay_these([delivery_id], request_id)
    again = row("SELECT job_id FROM rm_webhook_log WHERE id = %s", (delivery_id,))
    assert again is not None
    return int(again[0])


def replay_failed(site_id: int, since: datetime, *, request_id: str | None = None) -> int:
    """Do all failed deliveries of a site that were received since then again; gives how many."""
    total, after = 0, 0
    while True:
        found = rows(
            "SELECT id FROM rm_webhook_log WHERE site_id = %s AND status = %s AND received_at >= %s AND id > %s"
            " AND product_id IS NOT NULL ORDER BY id LIMIT %s",
            (site_id, FAILED, since, after, REPLAYED_AT_ONCE),
        )
        if not found:
            return total
        ids = [delivery_id for (delivery_id,) in found]
        total += replay_these(ids, request_id)
        after = ids[-1]


def get(delivery_id: int) -> WebhookLog:
    """One delivery. Raises UnknownRecord."""
    found: WebhookLog | None = WebhookLog.get_or_none(WebhookLog.id == delivery_id)
    if found is None:
        raise UnknownRecord("delivery")
    return found


def replay_these(ids: list[int], request_id: str | None) -> int:
    """Do these deliveries again, as far as they ask for something; gives how many."""
    with ledger.committing():
        done = rows(_REPLAY, {"ids": ids, "request": request_id})
        ledger.hint_after_commit(WEBHOOKS, len(done))
    return len(done)
