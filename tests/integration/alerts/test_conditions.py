"""Each thing that may be wrong opens one alert, is told again when it changes, and is told to be over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from models import setting
from models.database import execute, rows
from tests.integration.alerts.receivers import WebhookReceiver
from tests.integration.alerts.watching import alerts, look, run
from tests.integration.ledger import helpers
from workers import ledger, sites
from workers.alerts.check import check
from workers.execute import execute as work_on
from workers.webhooks import rounds


def topics(site_id: int, **states: str) -> None:
    """What the last look at a shop's webhooks found."""
    found = {f"product.{name}": {"state": state, "hook_id": 1} for name, state in states.items()}
    document = json.dumps({"registered_at": "2026-03-01T00:00:00Z", "topics": found})
    execute("UPDATE rm_sites SET webhooks = %s WHERE id = %s", (document, site_id))


def night(site_id: int, day: str, outcome: str) -> None:
    """A night of the schedule that was decided."""
    execute(
        "INSERT INTO rm_schedule_log (schedule, local_date, due_at, outcome) VALUES ('full_sync', %s, now(), %s)",
        (day, outcome),
    )


def own_night(site_id: int, day: str, outcome: str) -> None:
    """A night of a site with a time of its own."""
    execute(
        "INSERT INTO rm_site_schedule_log (site_id, local_date, due_at, outcome) VALUES (%s, %s, now(), %s)",
        (site_id, day, outcome),
    )


def waiting(site_id: int) -> None:
    """A job that nobody takes."""
    helpers.earlier(helpers.job(site_id=site_id), 16 * 60, "created_at", "available_at", "updated_at")


@dataclass(frozen=True)
class Trouble:
    """What makes it, what changes it, what ends it; and what is said of it at first and after the change."""

    kind: str
    subject: str
    wrong: Callable[[int], object]
    said: str
    other: Callable[[int], object]
    then: str
    right: Callable[[int], object]


TROUBLES = {
    "a run failed": Trouble(
        "run_failed",
        "site:{site}",
        lambda site: run(site, "failed", "a page of the shop could not be read: 500"),
        "The sync of Outlet failed: a page of the shop could not be read: 500",
        lambda site: run(site, "failed", "no write went through"),
        "The sync of Outlet failed: no write went through",
        lambda site: run(site, "completed"),
    ),
    "a run is held": Trouble(
        "run_held",
        "site:{site}",
        lambda site: run(site, "held", "40 of 100 SKUs would fall to zero"),
        "The sync of Outlet is held: 40 of 100 SKUs would fall to zero",
        lambda site: run(site, "held", "Business Central answered with half of its items"),
        "The sync of Outlet is held: Business Central answered with half of its items",
        lambda site: run(site, "completed"),
    ),
    "webhooks are disabled": Trouble(
        "webhooks_disabled",
        "site:{site}",
        lambda site: topics(site, created="healthy", updated="disabled"),
        "The shop of Outlet does not tell us of everything: product.updated is disabled",
        lambda site: topics(site, created="missing", updated="disabled"),
        "The shop of Outlet does not tell us of everything: product.created is missing, product.updated is disabled",
        lambda site: topics(site, created="healthy", updated="healthy"),
    ),
    "a night was missed": Trouble(
        "schedule_missed",
        "schedule:full_sync",
        lambda site: night(site, "2026-03-19", "missed"),
        "The schedule full_sync missed its day 2026-03-19",
        lambda site: night(site, "2026-03-20", "missed"),
        "The schedule full_sync missed its day 2026-03-20",
        lambda site: night(site, "2026-03-21", "started"),
    ),
    "a site's own night was missed": Trouble(
        "schedule_missed",
        "site:{site}",
        lambda site: own_night(site, "2026-03-19", "missed"),
        "The nightly sync of Outlet missed its day 2026-03-19",
        lambda site: own_night(site, "2026-03-20", "missed"),
        "The nightly sync of Outlet missed its day 2026-03-20",
        lambda site: own_night(site, "2026-03-21", "started"),
    ),
    "jobs wait": Trouble(
        "oldest_job",
        "queue:sync",
        waiting,
        "Jobs of the queue sync have waited for more than 15 minutes",
        lambda site: setting.change("alert_oldest_job_minutes", 14),
        "Jobs of the queue sync have waited for more than 14 minutes",
        lambda site: execute("UPDATE rm_queue SET status = 'completed' WHERE kind = 'test'"),
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_it_is_told_once_again_when_it_changes_and_once_when_it_is_over(
    receiver: WebhookReceiver, site_id: int, name: str
) -> None:
    trouble = TROUBLES[name]
    subject = trouble.subject.format(site=site_id)

    trouble.wrong(site_id)
    assert (look(), look()) == (1, 0), "however often one looks"
    assert alerts() == [(trouble.kind, subject, "open")]
    trouble.other(site_id)
    assert (look(), look()) == (1, 0)
    assert alerts() == [(trouble.kind, subject, "open")], "the same one"
    trouble.right(site_id)
    assert (look(), look()) == (1, 0)

    assert alerts() == [(trouble.kind, subject, "resolved")]
    assert receiver.texts == [
        f"Alert: {trouble.said}",
        f"Changed: {trouble.then}",
        f"Resolved: {trouble.then}",
    ]
    assert [body["state"] for body in receiver.bodies] == ["open", "open", "resolved"]
    assert {(body["kind"], body["subject"]) for body in receiver.bodies} == {(trouble.kind, subject)}
    assert [body["id"] for body in receiver.bodies] == ["1.1", "1.2", "1.3"]
    of_site = {"id": site_id, "name": "Outlet"} if subject.startswith("site:") else None
    assert all(body["site"] == of_site for body in receiver.bodies)


def test_what_comes_back_is_a_new_alert(receiver: WebhookReceiver, site_id: int) -> None:
    for status in ("failed", "completed", "failed"):
        run(site_id, status, "down" if status == "failed" else None)
        assert look() == 1

    assert [state for _, _, state in alerts()] == ["resolved", "open"]
    assert [body["id"] for body in receiver.bodies] == ["1.1", "1.2", "2.1"]


def test_what_is_over_is_kept_as_long_as_finished_jobs_and_what_is_open_for_good(site_id: int) -> None:
    run(site_id, "held", "the guard")
    check()
    run(site_id, "failed", "down")
    check()
    execute(
        "UPDATE rm_alerts SET opened_at = opened_at - interval '30 days',"
        " resolved_at = resolved_at - interval '14 days'"
    )

    helpers.job("maintenance.cleanup")
    assert work_on(rows("SELECT id FROM rm_queue WHERE kind = 'maintenance.cleanup'")[0][0])

    assert alerts() == [("run_failed", f"site:{site_id}", "open")]


def test_the_same_failure_night_after_night_is_told_once_and_its_details_follow(
    receiver: WebhookReceiver, site_id: int
) -> None:
    run(site_id, "failed", "down")
    look()
    last = run(site_id, "failed", "down")

    assert look() == 0
    assert len(receiver.bodies) == 1
    assert rows("SELECT (details ->> 'run_id')::bigint FROM rm_alerts") == [(last,)]


def test_a_run_that_is_under_way_or_was_cancelled_says_nothing(site_id: int) -> None:
    run(site_id, "failed", "down")
    assert check() == 1
    run(site_id, "cancelled")
    helpers.running(site_id, "start")

    assert check() == 0
    assert alerts() == [("run_failed", f"site:{site_id}", "open")]


def test_a_site_that_fails_so_many_times_in_a_row_is_told_of_until_one_comes_through(site_id: int) -> None:
    setting.change("alert_failures_in_a_row", 2)
    for status in ("failed", "completed", "failed", "cancelled", "failed"):
        assert ("site_failing", f"site:{site_id}", "open") not in alerts()
        run(site_id, status, "down" if status == "failed" else None)
        check()

    assert ("site_failing", f"site:{site_id}", "open") in alerts()
    run(site_id, "failed", "another reason")
    assert check() == 1, "the failure's reason changed; that it keeps failing did not"
    run(site_id, "held", "the guard")
    check()
    assert alerts()[-2:] == [
        ("site_failing", f"site:{site_id}", "resolved"),
        ("run_held", f"site:{site_id}", "open"),
    ]


@pytest.mark.parametrize("end", ["deactivated", "deleted"])
def test_a_site_that_is_no_more_is_no_more_told_of(receiver: WebhookReceiver, site_id: int, end: str) -> None:
    run(site_id, "failed", "down")
    look()
    if end == "deleted":
        sites.delete(site_id)
    else:
        execute("UPDATE rm_sites SET active = false")

    assert look() == 1
    why = "its site was deleted" if end == "deleted" else "its site is not active any more"
    assert receiver.texts[-1] == f"Resolved: The sync of Outlet failed: down ({why})"
    assert receiver.bodies[-1]["site"] == (None if end == "deleted" else {"id": site_id, "name": "Outlet"})


def test_webhooks_that_the_hourly_look_restored_are_told_of_until_the_next_finds_all_well(
    receiver: WebhookReceiver, site_id: int
) -> None:
    def looked(restored: list[str]) -> None:
        rounds.begin()
        execute(
            "UPDATE rm_queue SET status = 'completed', finished_at = now(), result = %s"
            " WHERE kind = %s AND status = 'pending'",
            (json.dumps({"restored": restored, "created": []}), rounds.KIND),
        )

    topics(site_id, updated="healthy")
    looked(["product.updated"])
    assert look() == 1
    assert "had dropped webhooks, which were restored: product.updated" in receiver.texts[0]
    # The next hour's: this hour's key becomes the one before.
    execute(
        f"UPDATE rm_queue SET unique_key = regexp_replace(unique_key, '[0-9]+$', '')"
        f" || (substring(unique_key FROM '[0-9]+$')::bigint - 1) WHERE kind = '{rounds.KIND}'"
    )
    assert look() == 0
    looked([])

    assert look() == 1
    assert alerts() == [("webhooks_disabled", f"site:{site_id}", "resolved")]


def test_a_shop_whose_webhooks_were_never_registered_is_not_told_of(site_id: int) -> None:
    document = json.dumps({"topics": {"product.updated": {"state": "missing", "hook_id": None}}})
    execute("UPDATE rm_sites SET webhooks = %s WHERE id = %s", (document, site_id))

    assert check() == 0


def late(job_id: int, minutes: float) -> int:
    """As if a job had been made so long ago."""
    helpers.earlier(job_id, minutes * 60, "created_at", "available_at", "updated_at")
    return job_id


def test_a_job_that_waits_for_its_shop_counts_from_when_it_was_made(site_id: int) -> None:
    claim = helpers.claimed(late(helpers.job(site_id=site_id, queue="webhooks"), 16))
    ledger.defer(claim, 20, error="the shop is failing (breaker open)", costs_attempt=False)

    assert check() == 1
    assert alerts() == [("oldest_job", "queue:webhooks", "open")]


def test_a_job_that_was_tried_again_by_hand_counts_from_then(site_id: int) -> None:
    claim = helpers.claimed(late(helpers.job(site_id=site_id), 16))
    ledger.fail(claim, "refused")
    assert ledger.retry(claim.id)

    assert check() == 0


def test_chunks_of_a_long_run_wait_for_each_other_without_an_alert_until_none_is_done_any_more(
    site_id: int,
) -> None:
    run_id = helpers.running(site_id, "push")
    for _ in range(3):
        late(helpers.job(site_id=site_id, run_id=run_id, step="push"), 40)
    done = late(helpers.job(site_id=site_id, run_id=run_id, step="push"), 40)
    execute(
        "UPDATE rm_queue SET status = 'completed', finished_at = now() - interval '10 min' WHERE id = %s",
        (done,),
    )

    assert check() == 0
    execute("UPDATE rm_queue SET finished_at = now() - interval '16 min' WHERE id = %s", (done,))
    assert check() == 1


def test_one_site_s_backlog_does_not_hide_that_another_s_job_waits(company_id: int, site_id: int) -> None:
    helpers.add(*[helpers.NewJob("test", site_id=site_id) for _ in range(200)])
    late(helpers.job(site_id=helpers.site(company_id, "Second")), 16)

    assert check() == 1
