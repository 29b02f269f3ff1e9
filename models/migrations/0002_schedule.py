"""Which occasions of the schedule have been decided: each local night once, however many processes look."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    """
    CREATE TABLE rm_schedules (
        name text PRIMARY KEY,
        zone text NOT NULL,
        time text NOT NULL,
        since timestamptz NOT NULL DEFAULT now(),
        last_due_at timestamptz
    )
    """,
    """
    CREATE TABLE rm_schedule_log (
        schedule text NOT NULL,
        local_date date NOT NULL,
        due_at timestamptz NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT now(),
        outcome text NOT NULL CHECK (outcome IN ('started', 'too_soon')),
        PRIMARY KEY (schedule, local_date)
    )
    """,
    "CREATE INDEX rm_sync_runs_finished ON rm_sync_runs (finished_at) WHERE finished_at IS NOT NULL",
    "CREATE INDEX rm_queue_finished ON rm_queue (finished_at) WHERE finished_at IS NOT NULL AND run_id IS NULL",
    "CREATE INDEX rm_webhook_log_received ON rm_webhook_log (received_at)",
)


def up(migrator: Any, db: Any) -> None:
    """Create the tables and the indexes that the clean-up reads, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
