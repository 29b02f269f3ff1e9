"""Doing deliveries again: the log shows each attempt, and nothing is done twice at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.database import execute, row, rows, session
from models.webhook_log import WebhookLog
from tests.integration.sync.shops import Shop, WooCommerceShop
from tests.integration.sync.working import drain, let_time_pass
from tests.integration.webhooks.test_processing import happened
from workers import clock, ledger
from workers.errors import Conflict, UnknownRecord
from workers.webhooks import deliveries


def _delivery(delivery_id: int) -> WebhookLog:
    with session():
        return deliveries.get(delivery_id)


def _outcomes(delivery_id: int) -> list[str]:
    return [entry["outcome"] for entry in _delivery(delivery_id).history]


def _refused(shop: Shop, product: int) -> int:
    """A delivery whose only attempt has failed, since the shop was down; gives its id."""
    (delivery,) = happened(shop.site, product)
    execute("UPDATE rm_queue SET max_attempts = 1 WHERE status = 'pending'")
    shop.handle.set_faults(rate=1.0, mix={"500": 1}, seed=1)
    drain()
    shop.handle.set_faults()
    return delivery


def test_a_failed_delivery_is_done_again_and_the_log_shows_each_attempt(shop: Shop) -> None:
    product = shop.add_stocked("AGAIN-1", in_bc=6)
    delivery = _refused(shop, product)
    failed = _delivery(delivery)
    assert (failed.status, failed.attempts, _outcomes(delivery)) == ("failed", 1, ["failed"])

    job_id = deliveries.replay(delivery)
    drain()

    done = _delivery(delivery)
    assert (done.status, done.attempts, done.error_message) == ("completed", 2, None)
    assert [(entry["outcome"], entry["job_id"] == job_id) for entry in done.history] == [
        ("failed", False),
        ("completed", True),
    ]
    assert shop.shown(product) == 6


def test_a_completed_delivery_may_be_done_again_too(woo: WooCommerceShop) -> None:
    (delivery,) = happened(woo.site, woo.add_stocked("DONE-1", in_bc=6))
    drain()
    let_time_pass(6)

    deliveries.replay(delivery)
    assert _delivery(delivery).status == "received"
    drain()

    assert _outcomes(delivery) == ["completed", "completed"]


def test_replays_of_one_product_fold_into_the_job_that_waits(woo: WooCommerceShop) -> None:
    product = woo.add_stocked("FOLD-1", in_bc=6)
    first, second = _refused(woo, product), _refused(woo, product)

    jobs = {deliveries.replay(first), deliveries.replay(second), deliveries.replay(first)}

    assert len(jobs) == 1
    drain()
    assert (_delivery(first).status, _delivery(second).status) == ("completed", "completed")
    assert (len(_outcomes(first)), len(_outcomes(second))) == (2, 2)


def test_all_failed_deliveries_of_one_site_since_a_time_and_no_others(
    woo: WooCommerceShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "REPLAYED_AT_ONCE", 2)  # several batches
    products = [woo.add_stocked(f"SINCE-{number}", in_bc=number) for number in range(4)]
    old, *recent = (_refused(woo, product) for product in products)
    execute("UPDATE rm_webhook_log SET received_at = now() - interval '3 hours' WHERE id = %s", (old,))
    (well,) = happened(woo.site, products[0])
    drain()

    number = deliveries.replay_failed(woo.site.id, clock.now() - timedelta(hours=2))
    drain()

    assert number == 3
    assert [_delivery(delivery).status for delivery in recent] == ["completed"] * 3
    assert _delivery(old).status == "failed"
    assert len(_outcomes(well)) == 1
    assert deliveries.replay_failed(woo.site.id, clock.now() - timedelta(hours=2)) == 0


def test_what_was_rejected_or_asks_for_nothing_is_not_done_again(woo: WooCommerceShop) -> None:
    for status, product in (("rejected", 5), ("ignored", None)):
        (delivery,) = rows(
            "INSERT INTO rm_webhook_log (site_id, status, product_id) VALUES (%s, %s, %s) RETURNING id",
            (woo.site.id, status, product),
        )
        with pytest.raises(Conflict) as refused:
            deliveries.replay(delivery[0])
        assert refused.value.code == "not_replayable"
    with pytest.raises(UnknownRecord):
        deliveries.replay(987654)
    assert rows("SELECT 1 FROM rm_queue") == []


def test_an_attempt_whose_worker_died_and_a_cancelled_one_stand_in_the_log_too(woo: WooCommerceShop) -> None:
    (delivery,) = happened(woo.site, woo.add_stocked("DEAD-1", in_bc=6))
    job = row("SELECT id FROM rm_queue WHERE status = 'pending'")
    assert job is not None

    assert ledger.cancel(job[0])

    (entry,) = _delivery(delivery).history
    assert (entry["outcome"], entry["error"], entry["job_id"]) == ("failed", "cancelled", job[0])
    deliveries.replay(delivery)
    drain()
    assert _outcomes(delivery) == ["failed", "completed"]
