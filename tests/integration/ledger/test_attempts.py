"""What a failure costs, when a job comes again, and how one that kills its workers ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.database import DatabaseUnavailable, execute, row
from tests.integration.cli.conftest import Run, run  # noqa: F401 - a fixture
from tests.integration.ledger.helpers import (
    claimed,
    column,
    due_in,
    earlier,
    held,
    job,
    lapse,
    list_jobs,
    openers,
    refresh,
    running,
    status,
)
from workers import dispatcher, failures, ledger, rescue
from workers import execute as worker
from workers.errors import (
    ConfigurationError,
    InventorySyncError,
    LeaseLost,
    MustWait,
    PermanentFailure,
    RateLimited,
    Refused,
    Unavailable,
)
from workers.execute import (
    RATE_LIMIT_SECONDS,
    STRANGE_FIRST_SECONDS,
    STRANGE_LONGEST_SECONDS,
    STRANGE_SECONDS,
)
from workers.full_sync import steps
from workers.jobs import DEFAULT_ATTEMPTS, HARD_DEADLINE_SECONDS, Done, Kind, Work
from workers.kinds import KINDS
from workers.leases import heartbeat

pytestmark = pytest.mark.usefixtures("database")

SLACK_SECONDS = 5.0  # between the end of a job and our look at it, on a busy machine

Raises = Callable[[Exception], None]


@pytest.fixture
def raises(monkeypatch: pytest.MonkeyPatch) -> Raises:
    """Let jobs of the kind `test` end with this error."""

    def use(error: Exception, progressed: bool = False) -> None:
        def handler(work: Work) -> Done:
            work.progressed = progressed
            raise error

        monkeypatch.setitem(KINDS, "test", Kind("test", handler))

    return use


def _near(job_id: int, least: float, most: float) -> bool:
    return least - SLACK_SECONDS < due_in(job_id) <= most


@pytest.mark.parametrize(
    "error",
    [
        PermanentFailure("it can't be done"),
        ConfigurationError("url", "is wrong"),
        Refused("the row is refused"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_can_never_work_fails_at_once_with_the_reason(raises: Raises, error: Exception) -> None:
    raises(error)
    job_id = job()

    worker.execute(job_id)

    assert (status(job_id), column(job_id, "attempts")) == ("failed", 1)
    assert column(job_id, "error") == str(error)


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("503"),
        InventorySyncError("something"),
        KeyError("a fault of ours"),
        DatabaseUnavailable[0]("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_work_later_costs_an_attempt_and_comes_again_later_each_time(
    raises: Raises, error: Exception
) -> None:
    raises(error)
    job_id = job(max_attempts=4)

    for attempt, longest in ((1, 2.0), (2, 4.0), (3, 8.0)):
        worker.execute(job_id)
        assert (status(job_id), column(job_id, "attempts")) == ("pending", attempt)
        assert _near(job_id, longest / 2, longest)
        earlier(job_id, longest, "available_at")
    worker.execute(job_id)

    assert (status(job_id), column(job_id, "attempts")) == ("failed", 4)
    assert column(job_id, "error").startswith(
        str(error) if isinstance(error, InventorySyncError) else type(error).__name__
    )


def test_the_backoff_ends_at_five_minutes() -> None:
    assert all(150 <= ledger.backoff_seconds(attempts) <= 300 for attempts in (9, 10, 20, 100))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (MustWait(90, "the limit is reached"), 90),
        (RateLimited("429", retry_after=120), 120),
        (RateLimited("429"), RATE_LIMIT_SECONDS),
    ],
    ids=["a limit", "Retry-After", "429 without a word"],
)
def test_waiting_costs_no_attempt_however_often(raises: Raises, error: Exception, seconds: float) -> None:
    raises(error)
    job_id = job(max_attempts=2)

    for _ in range(4):
        worker.execute(job_id)
        assert (status(job_id), column(job_id, "attempts")) == ("pending", 0)
        assert _near(job_id, seconds, seconds)
        earlier(job_id, seconds, "available_at")

    assert column(job_id, "error") == str(error)


def test_a_vendor_that_says_when_to_come_again_is_not_asked_sooner(raises: Raises) -> None:
    raises(Unavailable("503", retry_after=90))
    job_id = job()

    worker.execute(job_id)

    assert column(job_id, "attempts") == 1
    assert _near(job_id, 90, 90)


def test_a_job_of_a_kind_that_only_newer_code_knows_waits_for_that_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = job("of a later version", max_attempts=1)

    for _ in range(3):  # each time an older worker takes it
        assert worker.execute(job_id)
        assert (status(job_id), column(job_id, "attempts")) == ("pending", 0)
        assert _near(job_id, STRANGE_FIRST_SECONDS, STRANGE_FIRST_SECONDS)
        assert column(job_id, "error") == (
            "this version knows no job of the kind of a later version: it waits for a worker that does"
        )
        earlier(job_id, STRANGE_FIRST_SECONDS, "available_at")
    monkeypatch.setitem(KINDS, "of a later version", Kind("of a later version", lambda work: Done()))
    assert worker.execute(job_id)

    assert (status(job_id), column(job_id, "error"), column(job_id, "failures")) == ("completed", None, [])


@pytest.mark.parametrize(("age", "seconds"), [(60, 30), (3_600, STRANGE_LONGEST_SECONDS)])
def test_a_kind_that_nobody_knows_for_long_is_looked_at_less_often(age: float, seconds: float) -> None:
    job_id = job("of a later version")
    earlier(job_id, age, "created_at")

    worker.execute(job_id)

    assert _near(job_id, seconds, seconds + SLACK_SECONDS)


def test_a_kind_that_nobody_knows_for_a_day_fails_and_lets_its_run_go_on(
    company_id: int, site_id: int
) -> None:
    run_id = running(site_id, steps.LIST, refresh_id=refresh(company_id))
    (page,) = list_jobs(run_id, site_id, 1)
    execute("UPDATE rm_queue SET kind = 'of a later version' WHERE id = %s", (page,))
    earlier(page, STRANGE_SECONDS + 1, "created_at")

    worker.execute(page)

    assert (status(page), column(page, "error")) == (
        "failed",
        "this version knows no job of the kind of a later version, and none that does has taken it in 24 hours",
    )
    assert openers(run_id) == [("sync.compare", "compare")]


def test_a_job_that_kills_each_worker_fails_at_its_last_attempt_and_the_queue_moves_on(
    company_id: int, site_id: int
) -> None:
    run_id = running(site_id, steps.LIST, refresh_id=refresh(company_id))
    (killer,) = list_jobs(run_id, site_id, 1)

    for attempt in range(1, DEFAULT_ATTEMPTS + 1):
        assert claimed(killer).attempts == attempt
        assert rescue.release_stuck() == 0, "its lease has not lapsed"
        lapse(killer)
        dispatcher.turn(heal=False)

    assert (status(killer), column(killer, "attempts")) == ("failed", DEFAULT_ATTEMPTS)
    assert "its worker stopped without a word" in column(killer, "error")
    assert openers(run_id) == [("sync.compare", "compare")]
    assert row("SELECT result FROM rm_queue WHERE id = %s", (killer,)) == (None,)


def test_a_job_that_hangs_is_given_back_after_the_minutes_that_are_named(run: Run) -> None:  # noqa: F811
    hung, fresh, lapsed = held(), held(), held()
    earlier(hung.id, 31 * 60, "started_at")
    earlier(fresh.id, 29 * 60, "started_at")
    lapse(lapsed.id)

    assert run("jobs", "release-stuck", "--minutes", "30").stdout == "2 jobs released\n"

    assert [status(claim.id) for claim in (hung, fresh, lapsed)] == ["pending", "processing", "pending"]
    with pytest.raises(LeaseLost):
        ledger.complete(hung, Done())
    assert run("jobs", "release-stuck", "--minutes", "30").stdout == "0 jobs released\n"


def test_the_dispatcher_gives_back_only_what_gives_no_sign_of_life() -> None:
    hung, lapsed = held(), held()
    earlier(hung.id, 31 * 60, "started_at")
    lapse(lapsed.id)

    assert dispatcher.turn(heal=False) >= 1

    assert (status(hung.id), status(lapsed.id)) == ("processing", "pending")


def test_a_lease_is_renewed_until_the_hard_deadline_and_no_longer() -> None:
    claim = held()
    assert column(claim.id, "extract(epoch FROM deadline_at - started_at)") == HARD_DEADLINE_SECONDS
    earlier(claim.id, HARD_DEADLINE_SECONDS - 20, "started_at", "deadline_at", "lease_expires_at")

    heartbeat._renew([claim])
    assert column(claim.id, "lease_expires_at = deadline_at")

    earlier(claim.id, 21, "deadline_at", "lease_expires_at")
    heartbeat._renew([claim])
    assert column(claim.id, "lease_expires_at < now()")
    assert rescue.release_stuck() == 1


def test_one_job_that_cannot_be_ended_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_job_id: int, _error: str) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setitem(failures.OF_KIND, "bad", breaks)
    bad, good = held("bad", max_attempts=1), held()
    for claim in (bad, good):
        lapse(claim.id)

    assert rescue.release_stuck() == 1

    assert (status(bad.id), status(good.id)) == ("processing", "pending")
    execute("UPDATE rm_queue SET kind = 'test'")
    assert rescue.release_stuck() == 1
    assert status(bad.id) == "failed"
