"""Stock: when each read of Business Central had ended, so that reads which overlap can be told."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    # All reads of before are over now.
    "ALTER TABLE rm_stock ADD COLUMN read_ended_at timestamptz NOT NULL DEFAULT now()",
)


def up(migrator: Any, db: Any) -> None:
    """Add the column."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
