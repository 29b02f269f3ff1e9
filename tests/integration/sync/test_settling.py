"""BigCommerce accepts a write long before it shows it: no fight with writes that are still to land."""

from __future__ import annotations

from typing import Any

import pytest

from models.config import settings
from models.database import rows
from tests.integration.sync.shops import BigCommerceShop, WooCommerceShop
from tests.integration.sync.working import drain, let_time_pass, sync
from workers.full_sync.settle import SETTLE_MARGIN_SECONDS

NOT_IN_THIS_TEST = 5_000.0  # seconds until an accepted write lands


@pytest.fixture
def slow(store: BigCommerceShop) -> BigCommerceShop:
    """A store with one product, synced, that has accepted the write and doesn't show it."""
    store.add_stocked("A-1", 5, shown=2)
    store.handle.set_landing(NOT_IN_THIS_TEST, NOT_IN_THIS_TEST)
    run = sync(store.site.id)
    assert (run.status, run.pushed) == ("completed", 1)
    return store


def confirming_reads() -> list[dict[str, Any]]:
    """The jobs that read again what was in flight."""
    found = rows(
        "SELECT jsonb_build_object('status', status, 'result', result,"
        " 'due_in', extract(epoch FROM available_at - now())) FROM rm_queue WHERE kind = 'stock.settle' ORDER BY id"
    )
    return [fields for (fields,) in found]


def runs() -> list[tuple[str, int]]:
    """(status, pushed) of every run, in order."""
    return [
        (status, pushed) for status, pushed in rows("SELECT status, pushed FROM rm_sync_runs ORDER BY id")
    ]


def test_a_sync_within_the_landing_time_pushes_nothing_and_asks_for_one_confirming_read(
    slow: BigCommerceShop,
) -> None:
    run = sync(slow.site.id)

    assert (run.status, run.pushed, run.to_push, run.unchanged) == ("completed", 0, 0, 1)
    assert slow.written() == [("A-1", 5)]
    (read,) = confirming_reads()
    assert read["status"] == "pending"
    assert 0 < read["due_in"] - settings().settle_seconds <= SETTLE_MARGIN_SECONDS + 0.5


def test_the_confirming_read_waits_for_the_write_and_not_once_more_for_the_run(slow: BigCommerceShop) -> None:
    let_time_pass(settings().settle_seconds - 20)

    sync(slow.site.id)

    (read,) = confirming_reads()
    assert 15 < read["due_in"] <= 20 + SETTLE_MARGIN_SECONDS + 0.5


def test_what_was_written_again_after_the_listing_is_another_readings_to_confirm(
    slow: BigCommerceShop,
) -> None:
    """Else each sync of a busy shop would ask for one more."""
    sync(slow.site.id)
    slow.bc.set_stock({"A-1": 9})
    let_time_pass(settings().settle_seconds - 1)
    assert sync(slow.site.id).pushed == 1
    let_time_pass(10)

    drain()

    assert confirming_reads()[0]["result"] == {"lost": 0}


def test_a_change_of_the_name_is_stored_and_the_write_in_flight_is_left_to_land(
    slow: BigCommerceShop,
) -> None:
    (product,) = slow.active()
    slow.handle.change_product(product, name="Renamed")

    run = sync(slow.site.id)

    assert (run.pushed, run.unchanged) == (0, 1)
    assert (slow.item(product)["name"], slow.item(product)["shown"]) == ("Renamed", 5)


def test_a_sync_that_sees_nothing_in_flight_asks_for_no_confirming_read(store: BigCommerceShop) -> None:
    store.add_stocked("A-1", 5)
    sync(store.site.id)

    run = sync(store.site.id)

    assert (run.pushed, confirming_reads()) == (0, [])


def test_the_confirming_read_is_content_where_the_write_has_landed(slow: BigCommerceShop) -> None:
    sync(slow.site.id)
    slow.handle.land_all()
    slow.handle.wait_until_landed()
    let_time_pass(settings().settle_seconds + 5)

    drain()

    (read,) = confirming_reads()
    assert (read["status"], read["result"]) == ("completed", {"lost": 0})
    assert runs() == [("completed", 1), ("completed", 0)]
    assert slow.written() == [("A-1", 5)]


def test_the_confirming_read_notices_a_lost_write_and_it_is_pushed_again_once(slow: BigCommerceShop) -> None:
    product = slow.item(next(iter(slow.active())))["product_id"]
    sync(slow.site.id)
    slow.handle.set_landing(0, 0)  # the first write stays lost; later ones show at once
    let_time_pass(settings().settle_seconds + 5)

    drain()

    assert [read["result"] for read in confirming_reads()] == [{"lost": 1}]
    assert runs() == [("completed", 1), ("completed", 0), ("completed", 1)]
    assert rows("SELECT max(requested_by) FROM rm_sync_runs WHERE requested_by <> 'test'") == [
        ("1 accepted write that does not show",)
    ]
    assert slow.written() == [("A-1", 5), ("A-1", 5)]
    assert slow.shown(product) == 5

    let_time_pass(settings().settle_seconds + 5)
    drain()

    assert len(runs()) == 3
    assert sync(slow.site.id).pushed == 0


def test_what_was_sold_after_the_listing_is_no_lost_write(slow: BigCommerceShop) -> None:
    """It was not in flight when the shop was listed: BC may not have heard of the sale yet."""
    sold = slow.add_stocked("A-2", 7, shown=2)
    sync(slow.site.id)
    slow.handle.land_all()
    slow.handle.wait_until_landed()
    slow.handle.sell(1, product_id=sold)
    let_time_pass(settings().settle_seconds + 5)

    drain()

    assert [read["result"] for read in confirming_reads()] == [{"lost": 0}]
    assert len(runs()) == 2
    assert slow.shown(sold) == 6


def test_a_site_that_was_paused_meanwhile_gets_no_sync_for_its_lost_write(slow: BigCommerceShop) -> None:
    sync(slow.site.id)
    slow.handle.set_landing(0, 0)
    let_time_pass(settings().settle_seconds + 5)
    rows("UPDATE rm_sites SET active = false")

    drain()

    assert [(read["status"], read["result"]) for read in confirming_reads()] == [("completed", {"lost": 1})]
    assert len(runs()) == 2


def test_a_new_number_in_business_central_is_pushed_over_a_write_that_is_still_to_land(
    slow: BigCommerceShop,
) -> None:
    slow.bc.set_stock({"A-1": 9})

    run = sync(slow.site.id)

    assert (run.status, run.pushed) == ("completed", 1)
    assert slow.written() == [("A-1", 5), ("A-1", 9)]
    slow.handle.land_all()
    assert slow.handle.wait_until_landed().correct


def test_what_someone_else_changed_in_the_shop_is_set_right_at_once(slow: BigCommerceShop) -> None:
    """Only the very number from before the write can be a write in flight."""
    (product,) = slow.active()
    slow.handle.set_shop_stock(40, product_id=product)

    run = sync(slow.site.id)

    assert (run.status, run.pushed) == ("completed", 1)


def test_a_lost_write_is_pushed_by_the_next_sync_after_the_landing_time(slow: BigCommerceShop) -> None:
    slow.handle.set_landing(0, 0)
    let_time_pass(settings().settle_seconds + 5)

    run = sync(slow.site.id)

    assert (run.status, run.pushed) == ("completed", 1)
    assert slow.handle.compare(limit=1).wrong == 0


def test_woocommerce_shows_at_once_so_a_second_sync_finds_nothing_in_flight(woo: WooCommerceShop) -> None:
    woo.add_stocked("A-1", 5)
    sync(woo.site.id)

    run = sync(woo.site.id)

    assert (run.pushed, run.unchanged, confirming_reads()) == (0, 1, [])
