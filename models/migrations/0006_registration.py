"""Indexes for the webhooks' log: the last delivery of a topic, a product's deliveries, and the clean-up of counts."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    "CREATE INDEX rm_webhook_log_heard ON rm_webhook_log (site_id, event_type, received_at)"
    " WHERE status <> 'rejected'",
    "CREATE INDEX rm_webhook_log_product ON rm_webhook_log (product_id, id) WHERE product_id IS NOT NULL",
    "CREATE INDEX rm_webhook_rejections_hour ON rm_webhook_rejections (hour)",
)


def up(migrator: Any, db: Any) -> None:
    """Create the indexes, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
