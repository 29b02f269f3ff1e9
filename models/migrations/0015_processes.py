"""Which workers, dispatchers and schedulers run: each says now and then that it is there."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    """
    CREATE TABLE rm_processes (
        id uuid PRIMARY KEY,
        role text NOT NULL,
        queues jsonb NOT NULL DEFAULT '[]',
        host text NOT NULL,
        pid integer NOT NULL,
        version text NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        seen_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50)
    """,
)


def up(migrator: Any, db: Any) -> None:
    """Create the table, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
