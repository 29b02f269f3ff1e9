"""The panel's sites: what became of a run's items, a page at a time; why a site's SKUs are left alone."""

from __future__ import annotations

from typing import Any

STATEMENTS = (
    # Also all that (run_id, outcome) served; a page of a run's items comes in the order of this index.
    "CREATE INDEX rm_pushes_of_run ON rm_pushes (run_id, outcome, job_id, item_id) WHERE run_id IS NOT NULL",
    "DROP INDEX rm_pushes_run",
    "ALTER TABLE rm_site_figures ADD COLUMN reasons jsonb NOT NULL DEFAULT '{}'",
    # Counted anew within seconds, with the reasons.
    "UPDATE rm_site_figures SET counted_at = '-infinity'",
)


def up(migrator: Any, db: Any) -> None:
    """Change the index and add the column, in one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
