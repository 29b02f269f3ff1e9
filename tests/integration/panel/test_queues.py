"""Queues: does work flow, and who works? What Redis holds is Dramatiq's own; without it the rest still holds."""

from __future__ import annotations

import re

import dramatiq
import pytest

from api.panel.words import UNKNOWN
from models import config
from models.database import execute, row
from tests.integration.panel.conftest import Person
from tests.integration.panel.stock import job
from workers import figures, redis_client
from workers.broker import broker
from workers.hints import hints


def cells(page: str, section: str, name: str) -> list[str]:
    """The figures of a row of a section's table, as text."""
    part = page[page.index(f"<h2>{section}") :]
    line = re.search(rf"<tr>\s*<th scope=\"row\">(?:<a [^>]*>)?{name}\b.*?</tr>", part, re.DOTALL)
    assert line is not None, part
    return re.findall(r'<td class="n[^"]*">([^<]*)</td>', line.group(0))


def worker(queue: str, seconds_ago: float = 1.0, threads: int = 8) -> None:
    """A worker that was last heard of then."""
    execute(
        "INSERT INTO rm_processes (id, role, queues, host, pid, version, threads, seen_at)"
        " VALUES (gen_random_uuid(), 'worker', %s, 'pod-1', 7, '1.0', %s, now() - make_interval(secs => %s))",
        (f'["{queue}"]', threads, seconds_ago),
    )


def test_the_ledger_is_told_by_queue(viewer: Person) -> None:
    for _ in range(2):
        job()
    job(available_at="2099-01-01 00:00:00+00")
    job(status="processing")
    job(queue="webhooks")
    worker("sync")
    worker("sync")

    page = viewer.text("/queues")

    assert cells(page, "The ledger", "sync") == ["2", "1", "1", UNKNOWN, UNKNOWN, "2", "16"]
    assert cells(page, "The ledger", "webhooks") == ["1", "0", "0", UNKNOWN, UNKNOWN, "0", "0"]


def test_dramatiqs_queues_are_told_as_they_stand_in_redis(viewer: Person) -> None:
    sender = broker(worker=False)
    hints.send([("sync", 1), ("sync", 2), ("sync", 3), ("webhooks", 4)])
    taken = sender.do_fetch("sync", 2)
    assert len(taken) == 2
    first, _ = taken
    sender.do_nack("sync", sender_id(first))

    page = viewer.text("/queues")

    assert cells(page, "Dramatiq", "sync") == ["1", "1", "0", "1"]
    assert cells(page, "Dramatiq", "webhooks") == ["1", "0", "0", "0"]
    assert "1 process speaks to them; the last heartbeat was" in page


def sender_id(message: bytes) -> str:
    """The id under which Redis holds a message."""
    return str(dramatiq.Message.decode(message).options["redis_message_id"])


def test_without_redis_it_says_so_and_the_rest_still_holds(
    viewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    job()
    worker("sync")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    config.settings.cache_clear()
    redis_client._client.cache_clear()

    page = viewer.text("/queues")

    assert "Redis doesn't answer, so no worker hears of new work." in page
    assert cells(page, "The ledger", "sync")[:3] == ["1", "0", "0"]
    assert "pod-1" in page


def test_a_queue_without_a_worker_is_what_needs_somebody(viewer: Person) -> None:
    worker("sync")
    worker("webhooks", seconds_ago=90)

    page = viewer.text("/queues")

    assert "No worker works on webhooks." in page
    assert '<span class="badge bad">silent</span>' in page


def test_work_that_flows_is_late_or_hangs_is_told_in_a_sentence(viewer: Person) -> None:
    worker("sync")
    worker("webhooks")
    assert "All work is done." in viewer.text("/queues")

    job(status="failed")
    assert "1 job has failed lately: each says why, and can be tried again." in viewer.text("/queues")
    job_id = job()
    assert "Work flows: 0 jobs are worked on, 1 wait for a worker." in viewer.text("/queues")
    execute("UPDATE rm_queue SET available_at = now() - interval '20 minutes' WHERE id = %s", (job_id,))
    assert "the oldest due job waits for 20 minutes" in viewer.text("/queues")
    job(status="processing", started_at="2026-03-19 02:00:00+00")
    assert "1 job hangs." in viewer.text("/queues")


def test_each_minute_keeps_what_came_in_and_went_out_of_each_queue(viewer: Person) -> None:
    execute(
        "INSERT INTO rm_queue_minutes (minute, last_id)"
        " VALUES (date_trunc('minute', now()) - interval '3 minutes', (SELECT coalesce(max(id), 0) FROM rm_queue))"
    )
    moment = "date_trunc('minute', now()) - interval '30 seconds'"
    made = [job(), job(), job(queue="webhooks"), job(status="completed")]
    execute(f"UPDATE rm_queue SET created_at = {moment} WHERE id = ANY (%s)", (made,))
    execute(f"UPDATE rm_queue SET finished_at = {moment} WHERE id = %s", (made[-1],))
    later = job()
    execute("UPDATE rm_queue SET created_at = date_trunc('minute', now()) WHERE id = %s", (later,))

    figures.keep()

    found = row("SELECT queues FROM rm_queue_minutes ORDER BY minute DESC LIMIT 1")
    assert found == ({"sync": {"in": 3, "out": 1}, "webhooks": {"in": 1, "out": 0}},)
    assert cells(viewer.text("/queues"), "The ledger", "sync")[3:5] == ["3", "1"]


def test_what_came_in_is_not_known_before_a_minute_was_kept(viewer: Person) -> None:
    job_id = job(status="completed")
    execute(
        "UPDATE rm_queue SET finished_at = date_trunc('minute', now()) - interval '30 seconds' WHERE id = %s",
        (job_id,),
    )
    figures.keep()

    assert cells(viewer.text("/queues"), "The ledger", "sync")[3:5] == [UNKNOWN, "1"]
