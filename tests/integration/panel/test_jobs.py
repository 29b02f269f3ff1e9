"""Jobs: found by their filters, one with why its attempts failed; retry, cancel and give back, one or many."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from models.database import execute, row, rows
from tests.integration.panel.conftest import Person
from tests.integration.panel.stock import company, delivery, job, site
from workers import job_desk, ledger
from workers.attempts import KEPT


@pytest.fixture
def outlet(database: str) -> int:
    """A shop."""
    return site(company(), "Outlet")


def listed(person: Person, **filters: object) -> list[int]:
    """The jobs on the page, in order."""
    page = person.text("/queues/jobs", query_string=filters)
    return [int(found) for found in re.findall(r'scope="row"><a href="/queues/jobs/(\d+)">', page)]


def statuses() -> dict[int, str]:
    """Job -> status."""
    return dict(rows("SELECT id, status FROM rm_queue"))


def agree(person: Person, address: str) -> str:
    """Open what asks first, agree to it as it stands, and give the message on the page that follows."""
    page = person.text(address)
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    fields.pop("csrf_token")
    action = re.search(r'<form method="post" action="([^"]+)" hx-post', page)
    assert action is not None, page
    answer = person.post(action.group(1), **fields)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    told = person.text(answer.headers["Location"])
    return " ".join(re.findall(r'<p class="message \w+">([^<]*)</p>', told))


def test_jobs_are_listed_newest_first_and_found_by_each_of_their_filters(viewer: Person, outlet: int) -> None:
    run = row("INSERT INTO rm_sync_runs (site_id, status) VALUES (%s, 'running') RETURNING id", (outlet,))
    assert run is not None
    first = job("sync.list", "completed", site_id=outlet, run_id=run[0])
    second = job("webhook.product", "failed", queue="webhooks", error="the shop is down")
    third = job("stock.push", "processing", site_id=outlet)
    stuck = job("stock.push", "processing", started_at="2026-03-19 02:00:00+00")
    execute("UPDATE rm_queue SET created_at = now() - interval '2 hours' WHERE id = %s", (first,))

    assert listed(viewer) == [stuck, third, second, first]
    assert listed(viewer, status="failed") == [second]
    assert listed(viewer, status="processing") == [stuck, third]
    assert listed(viewer, status="stuck") == [stuck]
    assert listed(viewer, queue="webhooks") == [second]
    assert listed(viewer, kind="sync.list") == [first]
    assert listed(viewer, site=outlet) == [third, first]
    assert listed(viewer, run=run[0]) == [first]
    assert listed(viewer, age="over-1h") == [first]
    assert listed(viewer, age="15m", site=outlet) == [third]
    assert listed(viewer, status="completed", age="1h") == []
    assert "the shop is down" in viewer.text("/queues/jobs")


def test_pages_of_jobs_go_on_where_the_one_before_ended(viewer: Person, outlet: int) -> None:
    jobs = [job(status="failed", site_id=outlet) for _ in range(60)]

    page = viewer.text("/queues/jobs?status=failed")
    following = re.search(r'href="([^"]+)" rel="next"', page)
    assert following is not None
    query = dict(parse_qsl(urlsplit(following.group(1)).query))

    assert listed(viewer, **query) == sorted(jobs, reverse=True)[50:]


@pytest.mark.parametrize("filters", [{"status": "lost"}, {"site": "x"}, {"run": "-1"}, {"age": "old"}])
def test_a_filter_that_can_not_be_read_is_told_of_under_its_field(
    viewer: Person, filters: dict[str, str]
) -> None:
    answer = viewer.get("/queues/jobs", query_string=filters)

    assert answer.status_code == 422
    (field,) = filters
    assert f'id="h-{field}"><span class="error">' in answer.get_data(as_text=True)


def test_one_job_tells_why_its_attempts_failed_and_what_it_is_for(viewer: Person, outlet: int) -> None:
    job_id = job("webhook.product", "pending", queue="webhooks", site_id=outlet, payload='{"product": 12}')
    told = delivery(outlet, "received", job_id=job_id)
    for number in range(KEPT + 1):
        claim = ledger.claim(job_id)
        assert claim is not None
        ledger.defer(claim, 0, error=f"try {number} failed", costs_attempt=True)
    ledger.cancel(job_id)

    page = viewer.text(f"/queues/jobs/{job_id}")

    assert "Follow a product's webhook: it failed. Cancelled." in page
    assert "try 10 failed" in page
    assert "try 0 failed" not in page
    assert f'href="/webhook-log/{told}"' in page
    assert "<code>12</code>" in page


def test_a_payload_shows_no_secret(viewer: Person) -> None:
    job_id = job(
        payload='{"access_token": "very secret", "url": "https://ck_0123456789abcdef0123@shop.example"}'
    )

    page = viewer.text(f"/queues/jobs/{job_id}")

    assert "very secret" not in page
    assert "ck_0123456789abcdef0123" not in page


def test_one_failed_job_is_tried_again_and_one_that_is_over_is_not(operator: Person) -> None:
    failed, done = job(status="failed", attempts=8), job(status="completed")
    operator.text(f"/queues/jobs/{failed}")

    operator.post(f"/queues/jobs/{failed}/retry")
    operator.post(f"/queues/jobs/{done}/retry")

    assert statuses() == {failed: "pending", done: "completed"}
    assert "The job is completed: only a failed job is tried again." in operator.text(f"/queues/jobs/{done}")
    assert rows("SELECT action, subject FROM rm_audit_log WHERE action LIKE 'jobs%%' ORDER BY id") == [
        ("jobs.retry", f"job {failed}"),
        ("jobs.retry", f"job {done}"),
    ]


def test_a_job_is_cancelled_and_one_that_runs_is_given_back(operator: Person) -> None:
    waits, runs = job(), job(status="processing")
    operator.text(f"/queues/jobs/{waits}")

    operator.post(f"/queues/jobs/{waits}/cancel")
    operator.post(f"/queues/jobs/{runs}/release")

    assert statuses() == {waits: "failed", runs: "pending"}
    assert row("SELECT error FROM rm_queue WHERE id = %s", (waits,)) == ("cancelled",)


def test_a_viewer_sees_no_button(viewer: Person) -> None:
    failed = job(status="failed")

    assert "Retry" not in viewer.text(f"/queues/jobs/{failed}")
    assert "Retry" not in viewer.text("/queues/jobs?status=failed")


def test_all_failed_jobs_of_a_filter_are_tried_again_after_the_page_said_how_many(
    operator: Person, outlet: int
) -> None:
    mine = [job(status="failed", site_id=outlet) for _ in range(3)]
    other = job(status="failed")
    assert "Retry all</a>" in operator.text(f"/queues/jobs?status=failed&site={outlet}")

    page = operator.text(f"/queues/jobs/retry?status=failed&site={outlet}")
    assert "Retry 3 failed jobs" in page
    told = agree(operator, f"/queues/jobs/retry?status=failed&site={outlet}")

    assert "3 jobs are waiting again." in told
    assert statuses() == {**dict.fromkeys(mine, "pending"), other: "failed"}
    found = row(
        "SELECT detail -> 'filter', detail -> 'done' FROM rm_audit_log WHERE action = 'jobs.retry_all'"
    )
    assert found == ({"status": "failed", "site": outlet}, 3)


def test_what_fails_after_the_page_was_shown_is_not_touched(operator: Person) -> None:
    before = job(status="failed")
    page = operator.text("/queues/jobs/retry?status=failed")
    upto = re.search(r'name="upto" value="(\d+)"', page)
    assert upto is not None
    after = job(status="failed")

    operator.post("/queues/jobs/retry", status="failed", upto=upto.group(1))

    assert statuses() == {before: "pending", after: "failed"}


def test_jobs_whose_sync_is_over_stay_and_the_message_says_so(operator: Person, outlet: int) -> None:
    run = row("INSERT INTO rm_sync_runs (site_id, status) VALUES (%s, 'completed') RETURNING id", (outlet,))
    assert run is not None
    over, free = job(status="failed", run_id=run[0], step="push"), job(status="failed")

    told = agree(operator, "/queues/jobs/retry?status=failed")

    assert "1 job is waiting again." in told
    assert "1 stay as they are: the sync that they belong to is over" in told
    assert statuses() == {over: "failed", free: "pending"}


def test_all_that_wait_are_cancelled_and_all_that_hang_are_given_back(operator: Person) -> None:
    waiting = [job(queue="webhooks") for _ in range(2)]
    hangs, runs = job(status="processing", started_at="2026-03-19 02:00:00+00"), job(status="processing")

    assert "2 jobs are cancelled." in agree(operator, "/queues/jobs/cancel?status=pending&queue=webhooks")
    assert "1 job is given back." in agree(operator, "/queues/jobs/release?status=stuck")

    assert statuses() == {**dict.fromkeys(waiting, "failed"), hangs: "pending", runs: "processing"}


@pytest.mark.parametrize(
    ("action", "filters"),
    [
        ("retry", {}),
        ("retry", {"status": "pending"}),
        ("cancel", {"status": "completed"}),
        ("release", {"status": "processing"}),
        ("retry", {"status": "failed", "site": "x"}),
    ],
)
def test_many_are_never_chosen_by_a_filter_that_does_not_fit_or_can_not_be_read(
    operator: Person, action: str, filters: dict[str, str]
) -> None:
    for status in ("pending", "failed", "processing"):
        job(status=status)
    before = statuses()
    operator.text("/queues/jobs")

    assert operator.get(f"/queues/jobs/{action}", query_string=filters).status_code == 422
    assert operator.post(f"/queues/jobs/{action}", **filters).status_code == 422

    assert statuses() == before


def test_so_many_that_one_request_can_not_do_them_all_are_gone_on_with_when_asked_again(
    operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        job(status="failed")
    monkeypatch.setattr(job_desk, "BATCH", 2)
    monkeypatch.setattr(job_desk.do_to_all, "__kwdefaults__", {"seconds": -1.0})
    assert "There are more: do it again to go on." in agree(operator, "/queues/jobs/retry?status=failed")
    monkeypatch.setattr(job_desk.do_to_all, "__kwdefaults__", {"seconds": 60.0})

    assert "5 jobs are waiting again." in agree(operator, "/queues/jobs/retry?status=failed")


def test_nothing_to_do_says_so(operator: Person) -> None:
    assert "There is no such job any more" in operator.text("/queues/jobs/retry?status=failed")
    assert "No jobs yet" in operator.text("/queues/jobs")


def test_a_job_that_is_not_there_has_a_page_that_says_so(operator: Person) -> None:
    operator.text("/queues/jobs")
    done = [operator.post(f"/queues/jobs/77/{what}") for what in job_desk.ACTIONS]
    for answer in (operator.get("/queues/jobs/77"), *done):
        assert answer.status_code == 404
        assert "There is no such job" in answer.get_data(as_text=True)
