"""Who joins which run: only a run for which Business Central hasn't been read yet; the rest follow behind."""

from __future__ import annotations

import pytest

from models.company import Company
from models.database import rows
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain, drain_until_step, sync
from tests.places import run_of
from tests.simulators.handles import BusinessCentralHandle
from workers.full_sync.requests import request_sync, request_sync_all


@pytest.fixture
def shop(store: BigCommerceShop) -> Shop:
    """One is enough: the platform makes no difference to who joins whom."""
    return store


def scans(bc: BusinessCentralHandle) -> int:
    """How often Business Central's items were read."""
    return sum(number for route, number in bc.calls().items() if route.endswith("/items"))


def test_a_second_request_joins_the_run_until_business_central_is_read(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    first = request_sync(shop.site.id, requested_by="first")

    second = request_sync(shop.site.id, requested_by="second")

    assert (second.run_id, second.joined, second.queued_behind) == (first.run_id, True, None)
    assert not first.joined
    drain()
    assert run_of(first.run_id).status == "completed"
    assert scans(shop.bc) == 1


def test_a_listing_that_has_begun_may_still_be_joined(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    first = request_sync(shop.site.id, requested_by="first")
    do_next("sync.start")
    do_next("sync.list")

    second = request_sync(shop.site.id, requested_by="second")

    assert (second.run_id, second.joined, second.status) == (first.run_id, True, "running")


def test_once_business_central_is_read_a_request_waits_behind_and_gets_the_corrected_number(
    shop: Shop,
) -> None:
    product = shop.add_stocked("A-1", 5)
    first = request_sync(shop.site.id, requested_by="night")
    do_next("stock.refresh")
    do_next("stock.scan")
    shop.bc.set_stock({"A-1": 8})  # an operator corrects the number and clicks Sync

    second = request_sync(shop.site.id, requested_by="operator")

    assert (second.joined, second.queued_behind, second.status) == (False, first.run_id, "queued")
    assert second.run_id != first.run_id
    drain()
    assert [run_of(asked.run_id).status for asked in (first, second)] == ["completed", "completed"]
    assert shop.written() == [("A-1", 5), ("A-1", 8)]
    assert shop.shown(product) == 8
    assert scans(shop.bc) == 2


def test_all_requests_during_the_push_share_one_follow_up(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    first = request_sync(shop.site.id, requested_by="first")
    drain_until_step(first.run_id, "push")

    second = request_sync(shop.site.id, requested_by="second")
    third = request_sync(shop.site.id, requested_by="third")

    assert (second.joined, second.queued_behind) == (False, first.run_id)
    assert (third.run_id, third.joined, third.queued_behind) == (second.run_id, True, first.run_id)
    drain()
    assert [status for (status,) in rows("SELECT status FROM rm_sync_runs")] == ["completed", "completed"]
    assert scans(shop.bc) == 2


def test_the_follow_up_reads_nothing_before_the_run_ahead_has_ended(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    first = request_sync(shop.site.id, requested_by="first")
    drain_until_step(first.run_id, "push")
    second = request_sync(shop.site.id, requested_by="second")

    drain(lambda: run_of(first.run_id).step == "finish")

    assert (run_of(second.run_id).status, run_of(second.run_id).refresh_id) == ("queued", None)
    assert scans(shop.bc) == 1
    drain()
    assert run_of(second.run_id).status == "completed"


def test_sites_of_a_company_share_one_read_until_it_begins(
    store: BigCommerceShop, woo: WooCommerceShop
) -> None:
    store.add_stocked("A-1", 5)
    woo.add("a-1", 1)
    asked = request_sync_all(requested_by="night")

    drain()

    assert [run_of(one.run_id).status for one in asked] == ["completed", "completed"]
    assert len({run_of(one.run_id).refresh_id for one in asked}) == 1
    assert (store.written(), woo.written()) == ([("A-1", 5)], [("a-1", 5)])
    assert scans(store.bc) == 1


def test_a_site_that_asks_after_the_read_began_gets_a_read_of_its_own(
    store: BigCommerceShop, woo: WooCommerceShop
) -> None:
    store.add_stocked("A-1", 5)
    woo.add("a-1", 1)
    first = request_sync(store.site.id, requested_by="first")
    do_next("stock.refresh")
    do_next("stock.scan")
    store.bc.set_stock({"A-1": 9})

    second = request_sync(woo.site.id, requested_by="second")
    drain()

    assert (second.joined, second.queued_behind) == (False, None)
    assert run_of(first.run_id).refresh_id != run_of(second.run_id).refresh_id
    assert woo.written() == [("a-1", 9)]
    assert scans(store.bc) == 2


def test_a_run_never_trusts_stock_that_was_read_before_it_was_asked_for(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    shop.add_stocked("B-2", 6)
    sync(shop.site.id)
    shop.bc.remove_item("B-2")

    run = sync(shop.site.id)

    assert (run.status, run.skipped, run.pushed) == ("completed", {"unknown": 1}, 0)
    assert shop.reasons() == {"A-1": None, "B-2": "unknown"}


def test_requests_of_a_person_hurry_the_night_run_that_they_join(owner: Company, shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    night = request_sync(shop.site.id, requested_by="night", priority=50)

    request_sync(shop.site.id, requested_by="person", priority=20)
    drain()

    assert run_of(night.run_id).status == "completed"
    priorities = rows("SELECT DISTINCT priority FROM rm_queue WHERE run_id = %s", (night.run_id,))
    assert priorities == [(20,)]
