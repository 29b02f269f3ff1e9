"""The audit log's page: who and what together, which may both be common and never meet."""

from __future__ import annotations

from typing import Any

STATEMENTS = ("CREATE INDEX rm_audit_log_actor_action ON rm_audit_log (actor, action, id)",)


def up(migrator: Any, db: Any) -> None:
    """Create them, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
