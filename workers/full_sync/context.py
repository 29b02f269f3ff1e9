"""What every step of a run needs to know first."""

from __future__ import annotations

from models.database import row, session
from models.site import Site
from models.sync_run import OPEN_STATUSES, SyncRun
from workers.errors import PermanentFailure
from workers.jobs import CANCELLED, Claim


def load(claim: Claim) -> tuple[SyncRun, Site]:
    """The run and the site of a job, read now. Raises PermanentFailure where the run is over."""
    with session():
        run = SyncRun.get_by_id(claim.run_id)
        site = Site.get_by_id(run.site_id)
    _demand_open(run.status)
    return run, site


def demand_open(run_id: int | None) -> None:
    """Make sure that the run of a job still goes on; None belongs to no run. Raises PermanentFailure."""
    found = row("SELECT status FROM rm_sync_runs WHERE id = %s", (run_id,))
    if found is not None:
        _demand_open(found[0])


def _demand_open(status: str) -> None:
    if status == CANCELLED:
        raise PermanentFailure(CANCELLED)  # the same word as on the jobs that nobody held
    if status not in OPEN_STATUSES:
        raise PermanentFailure(f"the run is {status}")
