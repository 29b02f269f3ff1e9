"""The panel's items, queues and deliveries: search by words, rare states, why attempts failed, what came and went."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    # Names by their words, within one site or all. A row's name and site hardly ever change, so that stock updates
    # (which stay within their page) never touch it; a new row costs about 40 microseconds more.
    """
    CREATE INDEX rm_items_words ON rm_items USING gin (
        to_tsvector('simple'::regconfig, translate(name, '-/.,:;_+@&~#=?<>''"*!|()[]{}', repeat(' ', 30))),
        (ARRAY[site_id])) WHERE active
    """,
    # The states that few rows are in. The others are found on the way through all SKUs.
    "CREATE INDEX rm_items_failed ON rm_items (site_id, sku_key, id)"
    " WHERE active AND skip_reason IS NULL AND failure IS NOT NULL",
    "CREATE INDEX rm_items_drifting ON rm_items (site_id, sku_key, id)"
    " WHERE active AND skip_reason IS NULL AND drift_since IS NOT NULL",
    "CREATE INDEX rm_items_unsure ON rm_items (site_id, sku_key, id) WHERE active AND unsure",
    # The last few errors of a job's attempts: the newest at the end.
    "ALTER TABLE rm_queue ADD COLUMN failures jsonb NOT NULL DEFAULT '[]'",
    # What came in and went out in a minute, by queue; last_id: the newest job of then.
    "ALTER TABLE rm_queue_minutes ADD COLUMN last_id bigint, ADD COLUMN queues jsonb NOT NULL DEFAULT '{}'",
)


def up(migrator: Any, db: Any) -> None:
    """Create them, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
