"""What is remembered of a job's attempts: the last few errors, whoever ended the attempt."""

from __future__ import annotations

from typing import Any

import pytest

from models.database import execute
from tests.integration.ledger.helpers import claimed, column, earlier, held, job, lapse, status
from workers import execute as worker
from workers import ledger, rescue
from workers.attempts import KEPT
from workers.errors import LeaseLost, MustWait, Unavailable
from workers.jobs import Done, Kind, Work
from workers.kinds import KINDS

pytestmark = pytest.mark.usefixtures("database")


def _told(job_id: int) -> list[tuple[int, str]]:
    found: list[dict[str, Any]] = column(job_id, "failures")
    assert all(entry["at"].endswith("Z") for entry in found)
    return [(entry["attempt"], entry["error"]) for entry in found]


def test_each_attempt_that_failed_is_told_of_with_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [Unavailable("the shop is down"), Unavailable("the shop is slow"), ValueError("ours")]

    def handler(_: Work) -> Done:
        raise errors.pop(0)

    monkeypatch.setitem(KINDS, "test", Kind("test", handler))
    job_id = job(max_attempts=3)
    for _ in range(3):
        worker.execute(job_id)
        earlier(job_id, 10, "available_at")

    assert status(job_id) == "failed"
    assert _told(job_id) == [(1, "the shop is down"), (2, "the shop is slow"), (3, "ValueError: ours")]


def test_waiting_is_no_failure_and_success_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[Any] = [MustWait(0.0, "a limit"), Unavailable("down"), Done()]

    def handler(_: Work) -> Done:
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        assert isinstance(end, Done)
        return end

    monkeypatch.setitem(KINDS, "test", Kind("test", handler))
    job_id = job()
    for _ in range(3):
        worker.execute(job_id)
        earlier(job_id, 10, "available_at")

    assert (status(job_id), column(job_id, "error")) == ("completed", None)
    assert _told(job_id) == [(1, "down")]


def test_a_worker_that_died_is_told_of_and_so_is_the_last_attempt_of_one() -> None:
    job_id = held(max_attempts=2).id
    lapse(job_id)
    rescue.release_stuck()
    claimed(job_id)
    lapse(job_id)
    rescue.release_stuck()

    assert status(job_id) == "failed"
    first, (attempt, last) = _told(job_id)
    assert first == (1, f"{rescue.SILENT}; tried again")
    assert (attempt, last) == (2, column(job_id, "error"))
    assert last.startswith(f"{rescue.SILENT} at attempt 2 of 2, begun at ")


def test_only_the_last_few_are_kept_and_a_long_error_is_cut() -> None:
    job_id = job(max_attempts=100)
    for number in range(1, KEPT + 4):
        claim = claimed(job_id)
        ledger.defer(claim, 0.0, error=f"error {number} " + "x" * 5000, costs_attempt=True)

    told = _told(job_id)
    assert [attempt for attempt, _ in told] == list(range(4, KEPT + 4))
    assert all(error.startswith(f"error {attempt} ") and len(error) == 500 for attempt, error in told)


def test_a_retry_keeps_what_was_told() -> None:
    claim = held()
    ledger.fail(claim, "the token was refused")
    assert ledger.retry(claim.id)

    assert (status(claim.id), column(claim.id, "attempts")) == ("pending", 0)
    assert _told(claim.id) == [(1, "the token was refused")]


def test_one_job_is_given_back_when_it_has_run_too_long_and_its_worker_changes_nothing_more() -> None:
    claim, other = held(), held()

    assert not rescue.release(claim.id, minutes=30)
    execute("UPDATE rm_queue SET started_at = now() - interval '31 minutes'")
    assert rescue.release(claim.id, minutes=30)

    assert (status(claim.id), status(other.id)) == ("pending", "processing")
    with pytest.raises(LeaseLost):
        ledger.complete(claim, Done())
    assert not rescue.release(claim.id)
    assert not rescue.release(999_999)
