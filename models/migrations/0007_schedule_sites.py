"""A site's own time for its full sync, missed nights, and which nights of each site have been decided."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    """
    ALTER TABLE rm_sites
        ADD COLUMN full_sync_enabled boolean NOT NULL DEFAULT true,
        ADD COLUMN full_sync_time text,
        ADD COLUMN full_sync_since timestamptz NOT NULL DEFAULT now()
    """,
    # A night that is being caught up while this runs is a night of the sites that were there before it.
    "UPDATE rm_sites SET full_sync_since = created_at",
    "ALTER TABLE rm_schedule_log DROP CONSTRAINT rm_schedule_log_outcome_check",
    "ALTER TABLE rm_schedule_log ADD CONSTRAINT rm_schedule_log_outcome_check"
    " CHECK (outcome IN ('started', 'too_soon', 'missed'))",
    """
    CREATE TABLE rm_site_schedule_log (
        site_id integer NOT NULL REFERENCES rm_sites (id) ON DELETE CASCADE,
        local_date date NOT NULL,
        due_at timestamptz NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT now(),
        outcome text NOT NULL CHECK (outcome IN ('started', 'too_soon', 'missed')),
        PRIMARY KEY (site_id, local_date)
    )
    """,
    "CREATE INDEX rm_site_schedule_log_date ON rm_site_schedule_log (local_date)",
)


def up(migrator: Any, db: Any) -> None:
    """Add the columns and the table, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
