"""Runs to look at: one, or the newest."""

from __future__ import annotations

from models.database import session
from models.sync_run import SyncRun
from workers.full_sync.requests import UnknownRun


def get(run_id: int) -> SyncRun:
    """One run. Raises UnknownRun."""
    with session():
        found: SyncRun | None = SyncRun.get_or_none(SyncRun.id == run_id)
    if found is None:
        raise UnknownRun(f"no sync run has the id {run_id}")
    return found


def newest(
    *, site_id: int | None = None, status: str | None = None, before: int | None = None, most: int
) -> list[SyncRun]:
    """Runs, newest first. before: only those older than this one."""
    chosen = SyncRun.select().order_by(SyncRun.id.desc()).limit(most)
    if site_id is not None:
        chosen = chosen.where(SyncRun.site == site_id)
    if status is not None:
        chosen = chosen.where(SyncRun.status == status)
    if before is not None:
        chosen = chosen.where(SyncRun.id < before)
    with session():
        return list(chosen)
