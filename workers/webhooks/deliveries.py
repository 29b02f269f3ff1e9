"""Deliveries that were accepted: one of them, or done again when a person asks for it."""

from __future__ import annotations

from datetime import datetime

from models.database import row, rows
from models.webhook_log import FAILED, WebhookLog
from workers import ledger
from workers.errors import Conflict, UnknownRecord
from workers.jobs import WEBHOOKS, Priority
from workers.webhooks.intake import FOLD_KEY_SQL, KIND

REPLAYED_AT_ONCE = 500

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
