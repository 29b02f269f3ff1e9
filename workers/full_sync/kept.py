"""Figures of large runs that go on, counted in the background: what a page shows is read, not counted.

Counting what a run has done takes a tenth of a second for every 200,000 items. Small runs are counted when asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.database import execute, row, rows, session
from models.sync_run import OPEN_STATUSES, SyncRun
from workers.full_sync import progress

LARGE = 30_000  # items, or SKUs to push
LEAST_SECONDS = 5.0  # between two counts of a run
_NAME = "run:"

_DUE = """
    SELECT r.id FROM rm_sync_runs r LEFT JOIN rm_kept_figures k ON k.name = %(name)s || r.id
    WHERE r.status = 'running' AND greatest(r.items_total, r.to_push) > %(large)s
      AND (k.name IS NULL OR k.counted_at < now() - make_interval(secs => %(least)s))
"""
_KEEP = """
    INSERT INTO rm_kept_figures (name, value, counted_at) VALUES (%s, %s, now())
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, counted_at = now()
"""
_DROP = """
    DELETE FROM rm_kept_figures k WHERE starts_with(k.name, %(name)s) AND NOT EXISTS (
        SELECT FROM rm_sync_runs r WHERE r.status IN ('queued', 'running') AND k.name = %(name)s || r.id)
"""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """A run's figures, as `progress.figures` tells them. counted_at: of a large one; None: counted just now."""

    values: dict[str, Any]
    counted_at: datetime | None = None


def keep() -> int:
    """Count the large runs that go on; gives how many. Any number may do so at once."""
    due = rows(_DUE, {"name": _NAME, "large": LARGE, "least": LEAST_SECONDS})
    for (run_id,) in due:
        with session():
            counts = progress.counted(SyncRun.get_by_id(run_id))
            execute(_KEEP, (f"{_NAME}{run_id}", json.dumps(counts)))
    execute(_DROP, {"name": _NAME})
    return len(due)


def figures(run: SyncRun) -> RunFigures:
    """A run's figures: of a large one that goes on, as they were some seconds ago."""
    if run.status not in OPEN_STATUSES or max(run.items_total or 0, run.to_push) <= LARGE:
        return RunFigures(progress.figures(run))
    kept = row("SELECT value, counted_at FROM rm_kept_figures WHERE name = %s", (f"{_NAME}{run.id}",))
    stored = progress.stored(run)
    return RunFigures(stored | kept[0], kept[1]) if kept else RunFigures(stored, run.updated_at)
