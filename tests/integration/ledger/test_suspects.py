"""A job that may be what kills its workers is done while no other such job is: so the innocent ones end well."""

from __future__ import annotations

from functools import partial

import pytest

from tests.integration.ledger.helpers import (
    THREADS,
    at_once,
    claimed,
    column,
    due_in,
    earlier,
    job,
    lapse,
    status,
)
from workers import ledger, rescue
from workers.jobs import WEBHOOKS, Claim, Done
from workers.turns import LOSSES, SUSPECT_AGAIN_SECONDS

pytestmark = pytest.mark.usefixtures("database")


def _lost(times: int, **fields: str) -> int:
    """A job whose worker has died so many times in a row."""
    job_id = job(**fields)
    for _ in range(times):
        _die(job_id)
    return job_id


def _die(job_id: int) -> None:
    claimed(job_id)
    lapse(job_id)
    assert rescue.release_stuck() == 1


def test_of_jobs_that_lost_their_worker_time_and_again_one_is_done_at_a_time() -> None:
    first, second = _lost(LOSSES), _lost(LOSSES)
    holder = claimed(first)

    assert ledger.claim(second) is None

    assert (status(second), column(second, "attempts")) == ("pending", LOSSES), "waiting is no attempt"
    assert 0 < due_in(second) <= SUSPECT_AGAIN_SECONDS
    ledger.complete(holder, Done())
    earlier(second, SUSPECT_AGAIN_SECONDS, "available_at")
    assert claimed(second).attempts == LOSSES + 1


def test_of_many_that_are_claimed_at_one_moment_one_is_to_be_had() -> None:
    suspects = [_lost(LOSSES) for _ in range(THREADS)]

    ends = at_once(*[partial(ledger.claim, job_id) for job_id in suspects])

    assert [type(end) for end in ends if end is not None] == [Claim]


def test_one_worker_that_died_holds_nothing_up() -> None:
    """A node that is gone takes hundreds of jobs with it: those must come back all at once."""
    for job_id in [_lost(LOSSES - 1) for _ in range(3)]:
        claimed(job_id)


def test_whoever_is_under_no_suspicion_waits_for_nobody() -> None:
    claimed(_lost(LOSSES))

    claimed(job())
    claimed(_lost(LOSSES, queue=WEBHOOKS))  # other workers do those


def test_a_suspect_whose_worker_has_died_holds_up_nobody() -> None:
    dead, alive = _lost(LOSSES), _lost(LOSSES)
    claimed(dead)
    lapse(dead)

    claimed(alive)


def test_a_job_that_ended_by_itself_meanwhile_is_under_no_suspicion() -> None:
    claimed(_lost(LOSSES))
    innocent = _lost(LOSSES - 1)
    ledger.defer(claimed(innocent), 0.0, error="the shop is down", costs_attempt=True)
    _die(innocent)

    claimed(innocent)
