"""What every step of a run needs to know first."""

from __future__ import annotations

from models.database import session
from models.site import Site
from models.sync_run import SyncRun
from workers.errors import PermanentFailure
from workers.jobs import Claim


def load(claim: Claim) -> tuple[SyncRun, Site]:
    """The run and the site of a job, read now. Raises PermanentFailure where the run is over."""
    with session():
        run = SyncRun.get_by_id(claim.run_id)
        site = Site.get_by_id(run.site_id)
    if run.status not in ("queued", "running"):
        raise PermanentFailure(f"the run is {run.status}")
    return run, site
