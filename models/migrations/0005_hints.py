"""The index by which the jobs that were hinted lately are counted without reading all that wait."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    "CREATE INDEX rm_queue_hinted ON rm_queue (queue, hinted_at)"
    " WHERE status = 'pending' AND hinted_at IS NOT NULL",
    "DROP INDEX rm_queue_due",  # rm_queue_waiting serves all that read it
)


def up(migrator: Any, db: Any) -> None:
    """Create it, and drop one, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
