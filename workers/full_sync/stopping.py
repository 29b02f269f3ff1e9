"""What a cancel leaves behind: nothing that would begin, and the figures of what was done."""

from __future__ import annotations

from models.database import execute
from models.sync_run import SyncRun
from workers.full_sync import progress


def stop_pending(run_id: int) -> None:
    """End all of a cancelled run that nobody holds, and keep its figures. Call it under the run's lock."""
    execute(
        "UPDATE rm_queue SET status = 'failed', error = 'cancelled', finished_at = now(), updated_at = now()"
        " WHERE run_id = %s AND status = 'pending'",
        (run_id,),
    )
    # What is being sent is decided by whoever sends it.
    execute(
        "UPDATE rm_pushes SET outcome = 'failed', reason = 'cancelled', decided_at = now()"
        " WHERE run_id = %s AND outcome IN ('planned', 'unsure')",
        (run_id,),
    )
    progress.keep(run_id, progress.counted(SyncRun.get_by_id(run_id)))
