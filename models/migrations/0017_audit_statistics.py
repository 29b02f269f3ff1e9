"""The audit log's page: how often who and what meet, so that the planner doesn't count on it."""

from __future__ import annotations

from typing import Any

# Without, two values that are common but never meet look as if every ninth row had both: to read the whole log
# by its ids then seems as cheap as the index over both, and now and then is chosen.
STATEMENTS = ("CREATE STATISTICS rm_audit_log_who_what (mcv) ON actor, action FROM rm_audit_log",)


def up(migrator: Any, db: Any) -> None:
    """Create them, in one transaction; the next ANALYZE fills them."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
