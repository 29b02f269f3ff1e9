"""The guard: what it set aside, why, and which rows fell to zero within the last hour."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    "ALTER TABLE rm_pushes DROP CONSTRAINT rm_pushes_outcome_check",
    """
    ALTER TABLE rm_pushes ADD CONSTRAINT rm_pushes_outcome_check
        CHECK (outcome IN ('planned', 'sending', 'unsure', 'pushed', 'unchanged', 'failed', 'held'))
    """,
    """
    ALTER TABLE rm_sync_runs
        ADD COLUMN held bigint NOT NULL DEFAULT 0,
        ADD COLUMN held_reason text,
        ADD COLUMN released_at timestamptz,
        ADD COLUMN released_by text,
        ADD COLUMN superseded_by bigint
    """,
    "CREATE INDEX rm_sync_runs_held ON rm_sync_runs (site_id) WHERE status = 'held'",
    "ALTER TABLE rm_stock_refreshes ADD COLUMN suspicion text",
    """
    CREATE TABLE rm_zeroings (
        site_id integer NOT NULL REFERENCES rm_sites (id) ON DELETE CASCADE,
        item_id bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX rm_zeroings_site ON rm_zeroings (site_id, at)",
)


def up(migrator: Any, db: Any) -> None:
    """Add the columns and the table, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
