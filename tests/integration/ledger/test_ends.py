"""Every end of a job is compare-and-set: one wins, what it brings commits with it, the next step opens once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.database import execute, row, rows
from tests.integration.ledger.helpers import (
    THREADS,
    at_once,
    claimed,
    column,
    held,
    job,
    lapse,
    list_jobs,
    openers,
    refresh,
    refused,
    running,
    site,
    status,
)
from workers import ledger, rescue
from workers.errors import LeaseLost
from workers.full_sync import steps
from workers.jobs import Claim, Done, NewJob

ROUNDS = 12
WINS = {"completed", "failed", "pending"}

# Each end of a held job: True or None where it took place, False or LeaseLost where somebody else was first.
ENDS: dict[str, Callable[[Claim], object]] = {
    "complete": lambda claim: ledger.complete(claim, Done(jobs=[NewJob("follows")], record=_recorded)),
    "fail": lambda claim: ledger.fail(claim, "no luck"),
    "defer": lambda claim: ledger.defer(claim, 60, error="later", costs_attempt=True),
    "wait": lambda claim: ledger.defer(claim, 60, error="not yet", costs_attempt=False),
    "cancel": lambda claim: ledger.cancel(claim.id),
    "release": lambda claim: bool(rescue.release_stuck(0)),
}


def _recorded() -> None:
    execute("INSERT INTO rm_settings (key, value) VALUES ('recorded', '1')")


def _won(end: object) -> bool:
    if isinstance(end, LeaseLost):
        return False
    assert not isinstance(end, BaseException), repr(end)
    return end is not False


def _brought() -> tuple[int, int]:
    """What a completion brings with it: rows of its record, and jobs."""
    found = row(
        "SELECT (SELECT count(*) FROM rm_settings), (SELECT count(*) FROM rm_queue WHERE kind = 'follows')"
    )
    assert found is not None
    return found[0], found[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(sorted(ENDS)), min_size=2, max_size=THREADS))
def test_of_ends_that_race_one_wins_and_nothing_of_the_others_commits(
    database: str, names: list[str]
) -> None:
    execute("TRUNCATE rm_queue, rm_settings CASCADE")
    claim = held()

    ends = dict(enumerate(at_once(*[partial(ENDS[name], claim) for name in names])))

    winners = [names[number] for number, end in ends.items() if _won(end)]
    # A job that was given back is pending, and may still be cancelled.
    given_back = [name for name in winners if name in ("defer", "wait", "release")]
    assert len(winners) == 1 or (len(winners) == 2 and given_back and "cancel" in winners), winners
    assert status(claim.id) in WINS
    assert _brought() == ((1, 1) if "complete" in winners else (0, 0))
    if "cancel" in winners:
        assert (status(claim.id), column(claim.id, "error")) == ("failed", "cancelled")


def test_whoever_lost_its_lease_leaves_nothing_behind(database: str) -> None:
    late = held()
    lapse(late.id)
    rescue.release_stuck()
    new = claimed(late.id)

    for end in ("complete", "fail", "defer", "wait"):
        with pytest.raises(LeaseLost):
            ENDS[end](late)

    assert _brought() == (0, 0)
    assert (status(late.id), column(late.id, "error")) == ("processing", f"{rescue.SILENT}; tried again")
    ledger.complete(new, Done())
    assert (status(late.id), column(late.id, "error")) == ("completed", None)


def test_a_record_that_breaks_undoes_the_end_and_the_jobs_with_it(database: str) -> None:
    claim = held()

    def breaks() -> None:
        _recorded()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ledger.complete(claim, Done(jobs=[NewJob("follows")], record=breaks))

    assert (status(claim.id), _brought()) == ("processing", (0, 0))


def test_the_last_of_eight_pages_that_end_at_one_moment_opens_the_next_step_once(
    company_id: int, site_id: int
) -> None:
    for _ in range(ROUNDS):
        run_id = running(site_id, steps.LIST, refresh_id=refresh(company_id))
        pages = [claimed(job_id) for job_id in list_jobs(run_id, site_id, THREADS)]

        ends = at_once(*[partial(ledger.complete, page, Done()) for page in pages])

        assert ends == [None] * THREADS
        assert openers(run_id) == [("sync.confirm", "confirm")]
        assert row("SELECT step FROM rm_sync_runs WHERE id = %s", (run_id,)) == ("confirm",)
        execute("UPDATE rm_sync_runs SET status = 'completed' WHERE id = %s", (run_id,))


def test_the_next_step_waits_for_pages_that_were_found_by_the_last_one(company_id: int, site_id: int) -> None:
    run_id = running(site_id, steps.LIST, refresh_id=refresh(company_id))
    pages = [claimed(job_id) for job_id in list_jobs(run_id, site_id, THREADS)]
    found = steps.list_job(run_id, site_id, 50, {"page": 99}, None)

    at_once(*[partial(ledger.complete, page, Done(jobs=[found])) for page in pages])
    assert openers(run_id) == []

    more = [claimed(job_id) for (job_id,) in rows("SELECT id FROM rm_queue WHERE status = 'pending'")]
    assert len(more) == THREADS
    at_once(*[partial(ledger.complete, page, Done()) for page in more])
    assert openers(run_id) == [("sync.confirm", "confirm")]


def test_pages_that_end_in_every_way_at_one_moment_open_one_step(company_id: int, site_id: int) -> None:
    for _ in range(ROUNDS):
        run_id = running(site_id, steps.LIST, refresh_id=refresh(company_id))
        pages = [claimed(job_id) for job_id in list_jobs(run_id, site_id, 4)]

        ends = at_once(
            partial(ledger.complete, pages[0], Done()),
            partial(ledger.fail, pages[1], "no luck"),
            partial(ledger.cancel, pages[2].id),
            partial(ledger.complete, pages[3], Done()),
            partial(ledger.cancel, pages[3].id),
            partial(rescue.heal),
        )

        assert refused(ends, Exception) == refused(ends, LeaseLost) <= 1, ends
        # A page failed: nothing is deactivated, and with the stock read already the comparison is next.
        assert openers(run_id) == [("sync.compare", "compare")]
        execute("UPDATE rm_sync_runs SET status = 'completed' WHERE id = %s", (run_id,))


def test_runs_that_wait_for_one_read_of_bc_each_go_on_once_when_it_ends_beside_their_pages(
    company_id: int,
) -> None:

    sites = [site(company_id, f"site {number}") for number in range(3)]
    for _ in range(ROUNDS):
        refresh_id = refresh(company_id, "reading")
        runs = [running(site_id, steps.STOCK, refresh_id=refresh_id) for site_id in sites[:2]]
        runs.append(running(sites[2], steps.CONFIRM, refresh_id=refresh_id))
        confirming = held(run_id=runs[2], site_id=sites[2], step=steps.CONFIRM)
        reading = [held(refresh_id=refresh_id, company_id=company_id) for _ in range(3)]

        ends = at_once(*[partial(ledger.complete, claim, Done()) for claim in (*reading, confirming)])

        assert ends == [None] * 4
        assert [openers(run_id) for run_id in runs] == [[("sync.compare", "compare")]] * 3
        execute("UPDATE rm_sync_runs SET status = 'completed'")


def test_a_job_that_failed_is_given_back_by_one_of_eight_who_ask_and_only_while_its_step_lasts(
    company_id: int, site_id: int
) -> None:
    run_id = running(site_id, steps.LIST, refresh_id=refresh(company_id))
    failed, other = (claimed(job_id) for job_id in list_jobs(run_id, site_id, 2))
    ledger.fail(failed, "no luck")

    assert sorted(map(str, at_once(*[partial(ledger.retry, failed.id)] * THREADS))) == [
        *["False"] * (THREADS - 1),
        "True",
    ]
    assert (status(failed.id), column(failed.id, "attempts")) == ("pending", 0)

    ledger.fail(claimed(failed.id), "no luck")
    ledger.complete(other, Done())
    assert openers(run_id) == [("sync.compare", "compare")]
    assert ledger.retry(failed.id) is False


def test_a_key_that_is_there_already_makes_no_second_job(database: str) -> None:
    ends = at_once(*[partial(_insert_one, "the key")] * THREADS)

    assert sorted(map(len, ends)) == [*[0] * (THREADS - 1), 1]  # type: ignore[arg-type]
    assert rows("SELECT count(*) FROM rm_queue") == [(1,)]


def _insert_one(key: str) -> list[int]:
    with ledger.committing():
        return ledger.insert([NewJob("test", unique_key=key)])


def test_a_run_that_nothing_moves_is_moved_by_one_of_eight_dispatchers(company_id: int, site_id: int) -> None:
    run_id = running(site_id, steps.LIST, refresh_id=refresh(company_id))
    job("over", run_id=run_id, step=steps.LIST)
    execute("UPDATE rm_queue SET status = 'completed'")
    assert rescue.heal() == 0, "it has only just begun"
    execute("UPDATE rm_sync_runs SET updated_at = now() - interval '2 minutes'")

    ends = at_once(*[rescue.heal] * THREADS)

    assert sum(end for end in ends if isinstance(end, int)) == 1, ends
    assert openers(run_id) == [("sync.confirm", "confirm")]
