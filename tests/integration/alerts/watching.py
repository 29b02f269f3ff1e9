"""What the dispatcher and a worker do for alerts, one look at a time, and rows as they would find them."""

from __future__ import annotations

from models.database import execute, row, rows
from workers.alerts.check import check
from workers.alerts.conditions import SEND
from workers.execute import execute as work_on


def look() -> int:
    """One look by a dispatcher, then all that is to be sent; gives how many alerts changed."""
    changed = check()
    send_all()
    return changed


def send_all(*, newest_first: bool = False) -> int:
    """Do the jobs that are due, as workers would: each once; gives how many were to be had."""
    due = rows(
        "SELECT id FROM rm_queue WHERE kind = %s AND status = 'pending' AND available_at <= now() ORDER BY id",
        (SEND,),
    )
    if newest_first:
        due.reverse()
    return sum(work_on(job_id) for (job_id,) in due)


def hurry() -> None:
    """As if all that backs off were due."""
    execute("UPDATE rm_queue SET available_at = now() WHERE kind = %s AND status = 'pending'", (SEND,))


def alerts() -> list[tuple[str, str, str]]:
    """(kind, subject, state) of each, the oldest first."""
    return [
        (str(kind), str(subject), str(state))
        for kind, subject, state in rows("SELECT kind, subject, state FROM rm_alerts ORDER BY id")
    ]


def jobs(status: str) -> list[str | None]:
    """The errors of the sending jobs that stand so, the oldest first."""
    return [
        error
        for (error,) in rows(
            "SELECT error FROM rm_queue WHERE kind = %s AND status = %s ORDER BY id", (SEND, status)
        )
    ]


def run(site_id: int, status: str, error: str | None = None) -> int:
    """A run that has ended; gives its id."""
    found = row(
        "INSERT INTO rm_sync_runs (site_id, status, error, started_at, finished_at)"
        " VALUES (%s, %s, %s, now(), now()) RETURNING id",
        (site_id, status, error),
    )
    assert found is not None
    return int(found[0])
