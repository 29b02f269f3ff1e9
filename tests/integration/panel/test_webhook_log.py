"""The webhook log: what was sent, what became of it and why; one or many are done again."""

from __future__ import annotations

import json
import re

import pytest

from models.database import execute, row, rows
from tests.integration.panel.conftest import Person
from tests.integration.panel.stock import company, delivery, job, site
from tests.integration.panel.test_jobs import agree
from workers.webhooks import delivery_lists, intake
from workers.webhooks.proofs import Verdict
from workers.webhooks.site_keys import SiteKeys


@pytest.fixture
def outlet(database: str) -> int:
    """A shop."""
    return site(company(), "Outlet")


def listed(person: Person, **filters: object) -> list[int]:
    """The deliveries on the page, in order."""
    page = person.text("/webhook-log", query_string=filters)
    return [int(found) for found in re.findall(r'scope="row"><a href="/webhook-log/(\d+)">', page)]


def statuses() -> dict[int, str]:
    """Delivery -> status."""
    return dict(rows("SELECT id, status FROM rm_webhook_log"))


def test_deliveries_are_listed_newest_first_and_found_by_each_of_their_filters(
    viewer: Person, outlet: int
) -> None:
    flagship = site(company("Other"), "Flagship")
    first = delivery(outlet, product_id=12, resource="product 12")
    second = delivery(outlet, "failed", error_message="the shop is down")
    third = delivery(flagship, "rejected", event_type="store/sku/created", verdict="forged")
    execute("UPDATE rm_webhook_log SET received_at = now() - interval '2 days' WHERE id = %s", (first,))

    assert listed(viewer) == [third, second, first]
    assert listed(viewer, site=outlet) == [second, first]
    assert listed(viewer, status="failed") == [second]
    assert listed(viewer, status="completed", site=outlet) == [first]
    assert listed(viewer, event_type="store/sku/created") == [third]
    assert listed(viewer, product=12) == [first]
    assert listed(viewer, since="1d") == [third, second]
    assert "the shop is down" in viewer.text("/webhook-log")


@pytest.mark.parametrize("filters", [{"status": "lost"}, {"site": "x"}, {"product": "0"}, {"since": "ever"}])
def test_a_filter_that_can_not_be_read_is_told_of_under_its_field(
    viewer: Person, filters: dict[str, str]
) -> None:
    answer = viewer.get("/webhook-log", query_string=filters)

    assert answer.status_code == 422
    (field,) = filters
    assert f'id="h-{field}"><span class="error">' in answer.get_data(as_text=True)


def test_one_delivery_is_shown_whole_and_without_its_secrets(viewer: Person, outlet: int) -> None:
    sent = {
        "Content-Type": "application/json",
        "X-Inventory-Sync-Token": "hush hush",
        "X-WC-Webhook-Signature": "c2lnbmVk",
        "X-WC-Webhook-Topic": "product.updated",
    }
    keys = SiteKeys(outlet, "woocommerce", True, None, ("signature",), (), None)
    stored, _ = intake.refuse(
        keys,
        "product.updated",
        Verdict.FORGED,
        intake.Delivery(sent, b'{"id":12,"n":"<b>x</b>"}', "r-1"),
        "no proof",
    )
    assert stored is not None

    page = viewer.text(f"/webhook-log/{stored}")
    raw = viewer.get(f"/webhook-log/{stored}").get_data(as_text=True)

    assert "It was rejected. No proof." in page
    assert "A proof was wrong." in page
    assert "X-Inventory-Sync-Token" in page
    assert "product.updated" in page
    assert '"id": 12' in page
    assert "<b>x</b>" not in raw
    for secret in ("hush hush", "c2lnbmVk"):
        assert secret not in page


def test_each_attempt_is_shown_with_its_job_and_its_error(viewer: Person, outlet: int) -> None:
    job_id = job("webhook.product", "failed", queue="webhooks", site_id=outlet)
    entry = {"at": "2026-03-19T02:15:23.000Z", "outcome": "failed", "error": "503", "job_id": job_id}
    history = json.dumps([entry])
    found = delivery(
        outlet, "failed", product_id=12, job_id=job_id, attempts=1, history=history, error_message="503"
    )

    page = viewer.text(f"/webhook-log/{found}")

    assert "It failed. 503." in page
    assert f'href="/queues/jobs/{job_id}"' in page
    assert '<time datetime="2026-03-19T02:15:23.000Z">' in page
    assert "Replay</button>" not in page


def test_an_operator_has_one_delivery_done_again(operator: Person, outlet: int) -> None:
    found = delivery(outlet, "failed", product_id=12)
    operator.text(f"/webhook-log/{found}")

    operator.post(f"/webhook-log/{found}/replay")

    replayed = row("SELECT id, payload ->> 'product' FROM rm_queue")
    assert replayed is not None
    assert replayed[1] == "12"
    page = operator.text(f"/webhook-log/{found}")
    assert f"It is done again by job {replayed[0]}" in page
    assert statuses() == {found: "received"}


def test_what_asks_for_nothing_is_not_done_again(operator: Person, outlet: int) -> None:
    rejected = delivery(outlet, "rejected", product_id=12)
    empty = delivery(outlet, "ignored")
    operator.text("/webhook-log")

    for one in (rejected, empty):
        assert "Replay</button>" not in operator.text(f"/webhook-log/{one}")
        operator.post(f"/webhook-log/{one}/replay")
        assert "there is nothing to do again" in operator.text(f"/webhook-log/{one}")
    assert rows("SELECT 1 FROM rm_queue") == []


def test_all_failed_ones_of_a_filter_are_done_again_after_the_page_said_how_many(
    operator: Person, outlet: int
) -> None:
    flagship = site(company("Other"), "Flagship")
    mine = [delivery(outlet, "failed", product_id=number) for number in (1, 2, 2)]
    nothing, other = delivery(outlet, "failed"), delivery(flagship, "failed", product_id=1)
    assert "Replay all" in operator.text(f"/webhook-log?status=failed&site={outlet}")
    assert "Replay all" not in operator.text(f"/webhook-log?site={outlet}")
    address = f"/webhook-log/replay?status=failed&site={outlet}"
    assert "Replay 3 failed deliveries" in operator.text(address)

    assert "3 deliveries are done again." in agree(operator, address)

    assert statuses() == {**dict.fromkeys(mine, "received"), nothing: "failed", other: "failed"}
    assert rows("SELECT payload ->> 'product' FROM rm_queue ORDER BY id") == [("1",), ("2",)]
    assert rows("SELECT detail -> 'done' FROM rm_audit_log WHERE action = 'webhook_log.replay_all'") == [(3,)]


@pytest.mark.parametrize("filters", [{}, {"status": "completed"}, {"status": "failed", "site": "x"}])
def test_many_are_never_chosen_by_a_filter_that_does_not_fit_or_can_not_be_read(
    operator: Person, outlet: int, filters: dict[str, str]
) -> None:
    found = delivery(outlet, "failed", product_id=12)
    operator.text("/webhook-log")

    assert operator.get("/webhook-log/replay", query_string=filters).status_code == 422
    assert operator.post("/webhook-log/replay", **filters).status_code == 422

    assert statuses() == {found: "failed"}


def test_so_many_that_one_request_can_not_do_them_all_are_gone_on_with_when_asked_again(
    operator: Person, outlet: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        delivery(outlet, "failed", product_id=number + 1)
    monkeypatch.setattr(delivery_lists.replay_all, "__kwdefaults__", {"request_id": None, "seconds": -1.0})

    assert "There are more" in agree(operator, "/webhook-log/replay?status=failed")


def test_a_delivery_that_is_not_there_has_a_page_that_says_so(operator: Person) -> None:
    operator.text("/webhook-log")
    for answer in (operator.get("/webhook-log/77"), operator.post("/webhook-log/77/replay")):
        assert answer.status_code == 404
        assert "There is no such delivery" in answer.get_data(as_text=True)


def test_an_empty_log_says_what_it_would_hold(viewer: Person) -> None:
    assert "No delivery yet" in viewer.text("/webhook-log")
    assert "No delivery is like that" in viewer.text("/webhook-log?status=failed")
