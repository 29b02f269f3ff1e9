"""Whose turn it is: what a job that was claimed must still wait for, and how it is put back until then."""

from __future__ import annotations

from models.database import execute, row
from workers.jobs import Claim
from workers.leases import overtaken, take_store

SILENT = "its worker stopped without a word"
"""How the error begins of an attempt whose worker died."""
LOSSES = (
    2  # attempts in a row that end so make a job suspect of killing its workers; one alone is any restart
)
SUSPECTS_LOCK = 0x53555350  # "SUSP": the advisory lock's first half; the second is the queue
SUSPECT_AGAIN_SECONDS = 1.0

_SUSPECT = " AND ".join(
    f"starts_with(failures -> -{place} ->> 'error', '{SILENT}')" for place in range(1, LOSSES + 1)
)


def must_wait(claimed: Claim) -> bool:
    """In the transaction that claims: True where the job's turn has not come; else its store is taken."""
    if claimed.attempts > LOSSES and _another_suspect_is_done(claimed):
        return True
    return claimed.store_key is not None and (
        overtaken(claimed.store_key, claimed.priority)
        or not take_store(claimed.store_key, claimed.id, claimed.token)
    )


def put_back(job_id: int) -> None:
    """In the transaction that claimed it: pending as before. Waiting for one's turn is no attempt.

    It looks new again: whoever holds the store may be letting go at this moment, and could not see this row, which
    we have locked.
    """
    execute(
        "UPDATE rm_queue SET status = 'pending', attempts = attempts - 1, lease_token = NULL,"
        " lease_expires_at = NULL, started_at = NULL, deadline_at = NULL, hinted_at = NULL, hint_count = 0"
        " WHERE id = %s",
        (job_id,),
    )


def _another_suspect_is_done(claimed: Claim) -> bool:
    """What dies with its worker may be the cause, or have been beside it: nobody can tell while they run together.

    So of a queue's suspects one is done at a time: the innocent ones end well, as nothing deadly runs beside them.
    """
    found = row(f"SELECT {_SUSPECT} FROM rm_queue WHERE id = %s", (claimed.id,))
    if found != (True,):
        return False
    execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (SUSPECTS_LOCK, claimed.queue))
    other = row(
        f"SELECT 1 FROM rm_queue WHERE status = 'processing' AND lease_expires_at > now() AND queue = %s"
        f" AND id <> %s AND {_SUSPECT} LIMIT 1",
        (claimed.queue, claimed.id),
    )
    if other is None:
        return False
    execute(
        "UPDATE rm_queue SET available_at = now() + make_interval(secs => %s) WHERE id = %s",
        (SUSPECT_AGAIN_SECONDS, claimed.id),
    )
    return True
