"""What a person does about jobs, for one or for many: retry, cancel, give back. Each job by the ledger's own hand.

For many it goes on for a bounded time, a batch after the other, and tells how far it came: nothing is half-done, and
whoever asks again goes on with what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from workers import job_lists, ledger, rescue
from workers.errors import Conflict, FieldError, InvalidFields
from workers.job_lists import STUCK_MINUTES, JobFilter

BATCH = 200
SECONDS = 8.0  # of one request; a web worker's thread must not be away for long

RETRY = "retry"
CANCEL = "cancel"
RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Action:
    """takes: the status of the jobs that it can be done to. refused: why it was not done to some."""

    name: str
    takes: tuple[str, ...]
    do: Callable[[int], bool]
    refused: str


ACTIONS = {
    RETRY: Action(
        RETRY, ("failed",), ledger.retry, "the sync that they belong to is over, or somebody was faster"
    ),
    CANCEL: Action(CANCEL, ("pending", "processing", "stuck"), ledger.cancel, "they had ended meanwhile"),
    RELEASE: Action(
        RELEASE,
        ("stuck",),
        lambda job_id: rescue.release(job_id, STUCK_MINUTES),
        "they had ended, or their worker has given a sign of life",
    ),
}


@dataclass(frozen=True, slots=True)
class Done:
    """done: jobs that it was done to. refused: those that had changed. finished: whether all were gone through."""

    done: int
    refused: int
    finished: bool


def action_of(name: str, wanted: JobFilter) -> Action:
    """The action, where it can be done to what the filter asks for. Raises InvalidFields."""
    action = ACTIONS[name]
    if wanted.status not in action.takes:
        must = " or ".join(action.takes)
        raise InvalidFields([FieldError("status", f"must be {must}: only such jobs can be chosen for that")])
    return action


def do_to_all(action: Action, wanted: JobFilter, upto: int, *, seconds: float = SECONDS) -> Done:
    """Do it to every job that the filter asks for, whose id is at most `upto`."""
    ends = time.monotonic() + seconds
    done = refused = 0
    after: tuple[int, ...] | None = (upto + 1,)
    while after is not None:
        if time.monotonic() > ends:
            return Done(done, refused, finished=False)
        found = job_lists.ids(wanted, after, BATCH)
        for (job_id,) in found.rows:
            if action.do(job_id):
                done += 1
            else:
                refused += 1
        after = found.next
    return Done(done, refused, finished=True)


def do_to_one(name: str, job_id: int) -> None:
    """Do it to one job; a person may give back one that is not stuck.

    Raises UnknownRecord, Conflict (`not_possible`).
    """
    job = job_lists.get(job_id)
    done = rescue.release(job_id) if name == RELEASE else ACTIONS[name].do(job_id)
    if not done:
        raise Conflict("not_possible", _why(name, job.status))


def _why(name: str, status: str) -> str:
    if name == RETRY and status == "failed":
        return "the sync that this job belongs to is over: start another"
    wanted = {
        RETRY: "only a failed job is tried again",
        CANCEL: "it has ended",
        RELEASE: "only a job that is processing",
    }
    return f"the job is {status}: {wanted[name]}" + (" can be given back" if name == RELEASE else "")
