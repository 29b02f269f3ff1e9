"""The panel's pages of work: threads of each worker, SKUs by name and reason, deliveries by status."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    "ALTER TABLE rm_processes ADD COLUMN threads integer",
    "CREATE INDEX rm_items_reason ON rm_items (skip_reason, site_id, id) WHERE active AND skip_reason IS NOT NULL",
    # Typographic signs are no part of a word either.
    "DROP INDEX rm_items_words",
    """
    CREATE INDEX rm_items_names ON rm_items USING gin (
        to_tsvector('simple'::regconfig, translate(
            name,
            U&'-/.,:;_+@&~#=?<>''"*!|()[]{}\\201C\\201D\\201E\\2018\\2019\\201A\\00AB\\00BB\\2013\\2014\\2026\\2022\\00B7\\00D7\\2122\\00AE\\00A9',
            repeat(' ', 60))),
        (ARRAY[site_id])) WHERE active
    """,
    # The log is listed in the order of its ids.
    "CREATE INDEX rm_webhook_log_of_status ON rm_webhook_log (status, id)",
    "DROP INDEX rm_webhook_log_status",
)


def up(migrator: Any, db: Any) -> None:
    """Add the column and change the indexes, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
