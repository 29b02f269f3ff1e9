"""Sites that are deleted leave at once; their rows go one batch after the other."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    "ALTER TABLE rm_sites ADD COLUMN leaving_at timestamptz",
    # The name is free again at once.
    "ALTER TABLE rm_sites DROP CONSTRAINT rm_sites_name_key",
    "CREATE UNIQUE INDEX rm_sites_name_key ON rm_sites (name) WHERE leaving_at IS NULL",
)


def up(migrator: Any, db: Any) -> None:
    """Add the column and change the index, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
