"""Webhooks: what a delivery was, which job it became, and how jobs for one product fold into one."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    """
    ALTER TABLE rm_sites
        ADD COLUMN webhook_secret_previous text,
        ADD COLUMN webhook_secret_previous_until timestamptz,
        ADD COLUMN webhooks jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN webhooks_checked_at timestamptz
    """,
    """
    ALTER TABLE rm_webhook_log
        ADD COLUMN verdict text,
        ADD COLUMN resource text,
        ADD COLUMN product_id bigint,
        ADD COLUMN delivery_key text,
        ADD COLUMN headers jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN body text,
        ADD COLUMN body_bytes integer,
        ADD COLUMN job_id bigint,
        ADD COLUMN processed_at timestamptz,
        ADD COLUMN history jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN request_id text
    """,
    "CREATE INDEX rm_webhook_log_delivery ON rm_webhook_log (site_id, delivery_key)"
    " WHERE delivery_key IS NOT NULL",
    "CREATE INDEX rm_webhook_log_job ON rm_webhook_log (job_id) WHERE job_id IS NOT NULL",
    """
    CREATE TABLE rm_webhook_rejections (
        site_id integer NOT NULL REFERENCES rm_sites (id) ON DELETE CASCADE,
        hour timestamptz NOT NULL,
        number bigint NOT NULL,
        PRIMARY KEY (site_id, hour)
    )
    """,
    """
    ALTER TABLE rm_queue
        ADD COLUMN fold_key text,
        ADD COLUMN folded integer NOT NULL DEFAULT 0
    """,
    # At most one job of a key waits; the one that is being done is beside it.
    "CREATE UNIQUE INDEX rm_queue_folding ON rm_queue (fold_key) WHERE status = 'pending' AND fold_key IS NOT NULL",
    # Who takes one job of a site takes what else of it waits.
    "CREATE INDEX rm_queue_waiting ON rm_queue (queue, site_id, priority, id) WHERE status = 'pending'",
    "CREATE INDEX rm_queue_folded ON rm_queue (fold_key, started_at) WHERE fold_key IS NOT NULL",
    """
    ALTER TABLE rm_items
        ADD COLUMN agreed bigint,
        ADD COLUMN drift_since timestamptz
    """,
    # What a shop was last sent, or last seen to show as it should: until now nobody wrote it down.
    "UPDATE rm_items SET agreed = coalesce(sent, CASE WHEN shown = wanted THEN wanted END)"
    " WHERE sent IS NOT NULL OR shown = wanted",
)


def up(migrator: Any, db: Any) -> None:
    """Add the columns and indexes, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
