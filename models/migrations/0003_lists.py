"""Indexes for what the API lists: rows that are gone, by SKU; deliveries, by site."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    # "Why is this SKU no longer synced?" The index on active rows can't answer; this one holds few rows.
    "CREATE INDEX rm_items_gone ON rm_items (sku_key, site_id) WHERE NOT active",
    # Also for deleting a site, which else reads the whole log for each.
    "CREATE INDEX rm_webhook_log_site ON rm_webhook_log (site_id, id)",
)


def up(migrator: Any, db: Any) -> None:
    """Create the indexes, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
