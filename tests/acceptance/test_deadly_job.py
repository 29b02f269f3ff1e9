"""A job that kills each worker that takes it: it ends failed with the reason, and all the others get their turn."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest

from models.database import execute, rows
from tests.acceptance.meanwhile import Meanwhile
from tests.acceptance.reckoning import reckon
from tests.acceptance.trouble import Town, ask_for_all, assert_all_right, quicken, town
from tests.fleet import Fleet, eventually
from workers import ledger
from workers.jobs import DEFAULT_ATTEMPTS, NewJob, Priority
from workers.turns import LOSSES

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
WORKER = "tests.acceptance.deadly_worker"  # not imported: it becomes a worker then
DEADLY = "test.deadly"  # a kind that only this worker knows
ATTEMPTS = DEFAULT_ATTEMPTS if FULL_SIZE else 3
"""Of every job here: whatever dies along with the deadly one has no more of them than that one."""
ATTEMPTS_OF_ALL = f"""
    CREATE FUNCTION attempts_of_all() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.max_attempts := {ATTEMPTS}; RETURN NEW; END $$;
    CREATE TRIGGER attempts_of_all BEFORE INSERT ON rm_queue FOR EACH ROW EXECUTE FUNCTION attempts_of_all();
"""
SLOW_MS = (
    400  # of a call to a shop: what runs beside the deadly job is in the middle of it when that one strikes
)
WATCH_SECONDS = 0.05
END_SECONDS = 240
ROLE = "worker-sync"


class Supervisor(Meanwhile):
    """Starts the worker again whenever it has died, as Kubernetes does."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        self._fleet = fleet
        self.deaths = 0

    def _run(self) -> None:
        while not self._closing.wait(WATCH_SECONDS):
            if self._fleet.processes[ROLE].poll() is not None:
                self.deaths += 1
                self._fleet.start(ROLE)


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """One worker that knows the deadly kind, and a dispatcher."""
    quick = {**quicken(environment, monkeypatch), "JOB_LEASE_SECONDS": "2"}
    with Fleet(quick, (ROLE, "dispatcher"), worker=WORKER) as running:
        yield running


@pytest.fixture
def supervisor(fleet: Fleet) -> Iterator[Supervisor]:
    """What brings the worker back."""
    with Supervisor(fleet) as watching:
        yield watching


@pytest.fixture
def place(fleet: Fleet) -> Iterator[Town]:
    """Two shops, slow for now."""
    with town(200, 60) as found:
        for shop in found.shops:
            shop.set_latency(SLOW_MS)
        yield found


def test_a_job_that_kills_each_worker_fails_alone(place: Town, supervisor: Supervisor) -> None:
    execute(ATTEMPTS_OF_ALL)
    runs = ask_for_all()
    with ledger.committing():
        (deadly,) = ledger.insert([NewJob(kind=DEADLY, priority=Priority.PERSON)])

    eventually(lambda: outcome(deadly)[0] == "failed", seconds=END_SECONDS, what="the end of the deadly job")
    since = time.monotonic()
    for shop in place.shops:
        shop.set_latency(0)
    assert_all_right(place.shops, runs)
    reckon("a job that kills its worker each time", place.shops, since=since)

    _, attempts, error = outcome(deadly)
    assert (attempts, supervisor.deaths) == (ATTEMPTS, ATTEMPTS)
    # What a person reads: what happened, when, what to suspect and where to look.
    assert re.fullmatch(
        rf"its worker stopped without a word at attempt {ATTEMPTS} of {ATTEMPTS}, begun at [\d-]+ [\d:]+ UTC: the job"
        " may crash its worker, or need more memory than that has; the worker's log of that time says more",
        error,
    )
    assert rows("SELECT id, kind, error FROM rm_queue WHERE status = 'failed' AND id <> %s", (deadly,)) == []
    beside = rows("SELECT kind FROM rm_queue WHERE attempts > %s AND id <> %s", (LOSSES, deadly))
    assert beside, "nothing died along with it often enough to be under suspicion: nothing was tried"


def outcome(job_id: int) -> tuple[str, int, str]:
    """Status, attempts and error of a job."""
    ((status, attempts, error),) = rows(
        "SELECT status, attempts, coalesce(error, '') FROM rm_queue WHERE id = %s", (job_id,)
    )
    return status, attempts, error
