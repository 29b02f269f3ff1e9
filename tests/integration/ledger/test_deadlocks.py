"""Where two must wait for each other, PostgreSQL undoes one; that one goes again, and nobody is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import psycopg2
import pytest

from models.database import execute, row, rows
from tests.fleet import eventually
from tests.integration.ledger.helpers import (
    at_once,
    deadlocks,
    held,
    refresh,
    running,
    site,
    somebody_waits,
    status,
)
from tests.servers import Servers
from workers import ledger
from workers.errors import LeaseLost
from workers.full_sync import requests, steps
from workers.jobs import Claim, Done

ROUNDS = 3


def _finishing(site_id: int, company_id: int) -> tuple[int, Claim]:
    """A run whose last job is held, with a run of its site that waits for it; gives the run and the job."""
    run_id = running(site_id, steps.FINISH, refresh_id=refresh(company_id))
    return run_id, held("sync.finish", run_id=run_id, site_id=site_id, step=steps.FINISH)


def _finish(claim: Claim, run_id: int, site_id: int) -> None:
    """What the finishing job commits: its run is over, and the one that waited joins a read of BC."""

    def record() -> None:
        execute("UPDATE rm_sync_runs SET status = 'completed', finished_at = now() WHERE id = %s", (run_id,))
        ledger.insert(steps.follow_up(site_id))

    ledger.complete(claim, Done(record=record))


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_a_finishing_job_that_is_a_deadlocks_victim_ends_all_the_same(
    servers: Servers, database: str, company_id: int, site_id: int, end: str
) -> None:
    run_id, claim = _finishing(site_id, company_id)
    behind = requests.request_sync(site_id, requested_by="test")
    assert behind.queued_behind == run_id
    waiting = refresh(company_id, "waiting")
    ways: dict[str, Callable[[], object]] = {
        "complete": partial(_finish, claim, run_id, site_id),
        "fail": partial(ledger.fail, claim, "no luck"),
        "cancel": partial(ledger.cancel, claim.id),
    }
    finishing = ways[end]
    ended: list[object] = []
    finisher = threading.Thread(target=lambda: ended.extend(at_once(finishing)))

    # As `request_sync` does: first the waiting read, then the runs. The other holds the run and wants the read.
    # This side, a superuser's, never looks for deadlocks: the other one finds it, and is its victim.
    asking = psycopg2.connect(servers.admin_url(urlsplit(database).path.removeprefix("/")))
    try:
        with asking, asking.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '1h'")
            cursor.execute("SELECT FROM rm_stock_refreshes WHERE id = %s FOR UPDATE", (waiting,))
            finisher.start()
            eventually(somebody_waits, seconds=20, every=0.01, what="a wait for the read")
            cursor.execute("SELECT FROM rm_sync_runs WHERE id = %s FOR UPDATE", (run_id,))
    finally:
        asking.close()
    finisher.join(timeout=30)
    assert deadlocks() >= 1

    assert ended in ([None], [True])
    assert status(claim.id) == ("completed" if end == "complete" else "failed")
    found = row("SELECT refresh_id FROM rm_sync_runs WHERE id = %s", (behind.run_id,))
    assert found == (waiting,), "the run behind has joined the read that waits"


def test_finishing_cancelling_and_asking_anew_at_one_moment_all_end(company_id: int) -> None:
    for number in range(ROUNDS):
        sites = [site(company_id, f"site {number} {letter}") for letter in "abc"]
        ends = [(site_id, *_finishing(site_id, company_id)) for site_id in sites]
        for site_id in sites:
            requests.request_sync(site_id, requested_by="test")

        told = at_once(
            *[partial(_finish, claim, run_id, site_id) for site_id, run_id, claim in ends],
            *[partial(requests.request_sync, site_id, requested_by="test") for site_id in sites],
            partial(requests.request_sync_all, requested_by="test"),
            partial(_cancel_if_open, ends[0][1]),
        )

        faults = [
            error for error in told if isinstance(error, BaseException) and not isinstance(error, LeaseLost)
        ]
        assert faults == []
        for site_id in sites:
            open_runs = rows(
                "SELECT status, refresh_id IS NOT NULL FROM rm_sync_runs"
                " WHERE site_id = %s AND status IN ('queued', 'running')",
                (site_id,),
            )
            assert open_runs == [("queued", True)], "one run follows, and it has a read to wait for"
        execute("UPDATE rm_sync_runs SET status = 'cancelled' WHERE status = 'queued'")
        execute("UPDATE rm_stock_refreshes SET status = 'completed'")


def _cancel_if_open(run_id: int) -> object:
    try:
        return requests.cancel_run(run_id, requested_by="test")
    except requests.RunNotOpen as over:
        return str(over)
