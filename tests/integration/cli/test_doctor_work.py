"""The doctor finds out who works, what waits, what hangs and what has failed."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from models.database import execute as sql
from models.database import row, rows
from models.site import WOOCOMMERCE, Site
from tests import deliveries
from tests.fleet import Fleet, eventually
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_doctor import findings
from workers import ledger, presence
from workers.execute import execute
from workers.jobs import SYNC, WEBHOOKS, NewJob
from workers.presence import DISPATCHER, Presence

ROLES = ("worker-sync", "worker-webhooks", "dispatcher", "scheduler")
WHO = ("workers of sync", "workers of webhooks", "dispatcher", "scheduler")


def states(run: Run) -> dict[str, str]:
    """Of those who work, by the name of the check."""
    found = findings(run)
    return {name: found[name]["state"] for name in WHO}


def wait_until_there(number: int) -> None:
    """Wait until so many processes have said that they are there."""
    eventually(lambda: len(presence.seen()) == number, seconds=60, every=0.02, what=f"{number} processes")


def test_whoever_works_is_there_until_it_leaves_or_dies(run: Run, environment: dict[str, str]) -> None:
    assert states(run) == dict(zip(WHO, ("problem", "problem", "problem", "warning"), strict=True))

    with Fleet(environment, ROLES) as fleet:
        wait_until_there(len(ROLES))
        found = findings(run)
        assert {found[name]["state"] for name in WHO} == {"ok"}
        assert {found[name]["message"] for name in WHO} == {f"1 process on {socket.gethostname()}"}
        assert found["version"]["state"] == "ok"
        assert run("doctor").exit_code == 0, "nothing is wrong"

        fleet.kill("worker-webhooks")
        sql("UPDATE rm_processes SET seen_at = seen_at - interval '3 hours' WHERE queues ? %s", (WEBHOOKS,))
        fleet.signal("dispatcher", signal.SIGTERM)
        fleet.processes["dispatcher"].wait(30)

        found = findings(run)
        assert {name: found[name]["state"] for name in WHO} == dict(
            zip(WHO, ("ok", "problem", "problem", "ok"), strict=True)
        )
        assert "the last was seen 3 hours ago on" in found["workers of webhooks"]["message"]
        assert found["dispatcher"]["message"] == "none is there", "it has said that it leaves"
        assert "worker" in found["lost processes"]["message"]
        assert "inventory-sync up" in found["workers of webhooks"]["fix"]
    assert [process.queues for process in presence.seen()] == [[WEBHOOKS]], "only the dead one is left"


def test_processes_of_another_version_are_told(run: Run, database: str) -> None:
    here = Presence(DISPATCHER)
    here.begin()
    wait_until_there(1)
    sql("UPDATE rm_processes SET version = '0.0.9'")

    finding = findings(run)["version"]
    here.leave()

    assert (finding["state"], "0.0.9" in finding["message"]) == ("warning", True)


def test_a_loop_that_hangs_is_not_there(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "SAY_SECONDS", 0.01)
    here = Presence(DISPATCHER)
    here.moved()
    here.begin()
    wait_until_there(1)
    first = presence.seen()[0].seen_at
    eventually(lambda: presence.seen()[0].seen_at > first, seconds=10, every=0.02, what="a second word")

    monkeypatch.setattr(presence, "STALLED_SECONDS", 0.0)

    def is_silent() -> bool:
        before = presence.seen()[0].seen_at
        threading.Event().wait(0.2)
        return presence.seen()[0].seen_at == before

    eventually(is_silent, seconds=10, what="silence")
    here.leave()
    assert presence.seen() == []


def test_jobs_that_nobody_takes_are_a_problem_and_those_that_wait_long_a_warning(
    run: Run, database: str
) -> None:
    assert findings(run)["queue sync"]["message"] == "no job is due"
    for _ in range(2):
        insert("pending", available_at="now() - interval '20 minutes'")

    finding = findings(run)["queue sync"]
    assert (finding["state"], "2 jobs are due, the oldest for 20 minutes" in finding["message"]) == (
        "problem",
        True,
    )

    insert("completed", finished_at="now()")
    finding = findings(run)["queue sync"]
    assert (finding["state"], "run more workers of sync" in finding["fix"]) == ("warning", True)
    assert findings(run)["queue webhooks"]["state"] == "ok"

    sql("UPDATE rm_queue SET available_at = now() - interval '1 minute'")
    assert findings(run)["queue sync"]["state"] == "ok"


def test_a_job_that_hangs_is_told_with_the_command_that_helps(run: Run, database: str) -> None:
    insert(
        "processing",
        lease_expires_at="now() - interval '2 minutes'",
        started_at="now() - interval '5 minutes'",
    )

    finding = findings(run)["stuck jobs"]

    assert (finding["state"], finding["message"]) == ("problem", "1 jobs hang")
    assert "release-stuck" in finding["fix"]


def test_jobs_and_deliveries_that_were_given_up_are_told_for_a_day(run: Run, database: str) -> None:
    site: Site = deliveries.site(WOOCOMMERCE)  # it has no consumer key
    with ledger.committing():
        failing = NewJob("webhook.product", WEBHOOKS, payload={"product": 5}, site_id=site.id)
        cancelled = NewJob("webhook.product", WEBHOOKS, payload={"product": 6}, site_id=site.id)
        job_id, other = ledger.insert([failing, cancelled])
    sql("INSERT INTO rm_webhook_log (site_id, job_id, product_id) VALUES (%s, %s, 5)", (site.id, job_id))
    ledger.cancel(other)
    assert execute(job_id)

    found = findings(run)

    assert found["failed jobs"]["state"] == "warning"
    assert "1 webhook.product (consumer_key" in found["failed jobs"]["message"]
    assert found["webhook deliveries"]["message"] == "1 delivery within 24 hours failed"
    assert "webhooks replay" in found["webhook deliveries"]["fix"]

    sql("UPDATE rm_queue SET finished_at = now() - interval '25 hours'")
    sql("UPDATE rm_webhook_log SET received_at = now() - interval '25 hours'")
    found = findings(run)
    assert (found["failed jobs"]["state"], found["webhook deliveries"]["state"]) == ("ok", "ok")


def insert(status: str, **moments: str) -> int:
    """A job of nobody's site; moments as PostgreSQL says them."""
    names, values = ", ".join(moments), ", ".join(moments.values())
    made = rows(
        f"INSERT INTO rm_queue (queue, kind, status, {names}) VALUES (%s, 'test', %s, {values}) RETURNING id",
        (SYNC, status),
    )
    assert row("SELECT 1 FROM rm_queue WHERE id = %s", made[0]) == (1,)
    return int(made[0][0])
