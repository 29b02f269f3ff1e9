"""A claim is compare-and-set: one worker has a job, and only when it is due and its store is free."""

from __future__ import annotations

from functools import partial

import pytest

from models.database import execute, row
from tests.integration.ledger.helpers import (
    THREADS,
    at_once,
    claimed,
    column,
    due_in,
    held,
    job,
    lapse,
    status,
)
from workers import ledger, rescue
from workers.errors import LeaseLost
from workers.jobs import Claim, Done

pytestmark = pytest.mark.usefixtures("database")

ROUNDS = 5


def test_of_eight_workers_with_one_hint_exactly_one_has_the_job() -> None:
    for _ in range(ROUNDS):
        job_id = job()

        ends = at_once(*[partial(ledger.claim, job_id)] * THREADS)

        won = [end for end in ends if isinstance(end, Claim)]
        assert len(won) == 1
        assert ends.count(None) == THREADS - 1
        assert (status(job_id), column(job_id, "attempts")) == ("processing", 1)
        assert str(column(job_id, "lease_token")) == str(won[0].token)


def test_a_job_is_not_to_be_had_before_it_is_due() -> None:
    job_id = job(delay_seconds=60)

    assert ledger.claim(job_id) is None
    assert (status(job_id), column(job_id, "attempts")) == ("pending", 0)


@pytest.mark.parametrize("ended", ["completed", "failed"])
def test_a_late_hint_for_a_job_that_is_over_does_nothing(ended: str) -> None:
    job_id = job()
    execute("UPDATE rm_queue SET status = %s WHERE id = %s", (ended, job_id))

    assert ledger.kind_of(job_id) is None
    assert ledger.claim(job_id) is None
    assert status(job_id) == ended


def test_a_hint_for_a_job_that_never_was_does_nothing(database: str) -> None:
    assert ledger.kind_of(2**40) is None
    assert ledger.claim(2**40) is None


def test_a_store_that_is_taken_costs_no_attempt_and_the_job_waits_on() -> None:
    holder = held(store_key="store")
    job_id = job(store_key="store")

    assert ledger.claim(job_id) is None

    assert (status(job_id), column(job_id, "attempts"), column(job_id, "lease_token")) == ("pending", 0, None)
    assert due_in(job_id) <= 0
    ledger.complete(holder, Done())
    assert claimed(job_id).attempts == 1


def test_of_eight_jobs_for_one_store_exactly_one_is_claimed() -> None:
    for number in range(ROUNDS):
        jobs = [job(store_key=f"store {number}") for _ in range(THREADS)]

        ends = at_once(*[partial(ledger.claim, job_id) for job_id in jobs])

        won = [end for end in ends if isinstance(end, Claim)]
        assert len(won) == 1
        assert ends.count(None) == THREADS - 1
        lease = row(
            "SELECT job_id, token::text FROM rm_store_leases WHERE store_key = %s", (f"store {number}",)
        )
        assert lease == (won[0].id, str(won[0].token))
        losers = [(status(one), column(one, "attempts")) for one in jobs if one != won[0].id]
        assert losers == [("pending", 0)] * (THREADS - 1)


def test_a_lease_never_outlives_the_hard_deadline_of_its_kind() -> None:
    job_id = job()

    assert ledger.claim(job_id, deadline_seconds=5) is not None

    assert column(job_id, "lease_expires_at <= deadline_at")


def test_a_claim_by_a_dead_worker_ends_when_its_lease_lapses() -> None:
    first = held()
    lapse(first.id)
    assert rescue.release_stuck() == 1
    second = claimed(first.id)

    assert (second.attempts, second.token != first.token) == (2, True)
    with pytest.raises(LeaseLost):
        ledger.complete(first, Done())
    ledger.complete(second, Done())
