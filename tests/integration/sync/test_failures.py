"""One bad row never blocks the rest; what a person has to set right is said in words."""

from __future__ import annotations

import pytest

from models.database import rows
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import drain, drain_until_step, sync
from tests.places import run_of
from workers.full_sync.requests import request_sync

ROWS = 60


def ready_to_push(shop: Shop, number: int = ROWS) -> tuple[int, dict[str, int]]:
    """A run whose next step is to write `number` products; (run, SKU -> product)."""
    skus = [f"SKU{index:04d}" for index in range(number)]
    for sku in skus:
        shop.bc.add_item(sku, 4)
    products = shop.add_many(skus, 1)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    return run_id, products


def failures(shop: Shop) -> dict[str, str]:
    """SKU -> why its last write failed."""
    found = rows(
        "SELECT sku, failure FROM rm_items WHERE site_id = %s AND failure IS NOT NULL", (shop.site.id,)
    )
    return dict(found)


def test_rows_that_bigcommerce_refuses_are_found_and_all_others_are_written(store: BigCommerceShop) -> None:
    """A 422 refuses the whole call; it names one row at a time."""
    run_id, products = ready_to_push(store)
    store.delete(products["SKU0007"])
    store.handle.change_product(products["SKU0030"], tracking="none")
    store.handle.change_product(products["SKU0059"], tracking="variant")

    drain()

    run = run_of(run_id)
    assert (run.status, run.error) == ("completed", None)
    assert run.failed == {"unknown_item": 1, "untracked": 1, "tracked_by_variant": 1}
    assert run.pushed == ROWS - 3
    assert failures(store) == {
        "SKU0007": "unknown_item",
        "SKU0030": "untracked",
        "SKU0059": "tracked_by_variant",
    }
    bad = ("SKU0007", "SKU0030", "SKU0059")
    assert sorted(store.written()) == sorted((sku, 4) for sku in products if sku not in bad)


def test_rows_that_woocommerce_refuses_are_found_and_all_others_are_written(woo: WooCommerceShop) -> None:
    """Its batch answers 200 with an error for each bad row."""
    run_id, products = ready_to_push(woo)
    woo.delete(products["SKU0007"])
    woo.handle.change_product(products["SKU0030"], type="external")

    drain()

    run = run_of(run_id)
    assert (run.status, run.error) == ("completed", None)
    assert run.failed == {"unknown_item": 1, "untracked": 1}
    assert run.pushed == ROWS - 2
    assert failures(woo) == {"SKU0007": "unknown_item", "SKU0030": "untracked"}
    assert sorted(woo.written()) == sorted((sku, 4) for sku in products if sku not in ("SKU0007", "SKU0030"))


def test_variations_of_a_product_that_is_gone_fail_alone(woo: WooCommerceShop) -> None:
    for sku in ("GOOD", "V-1", "V-2"):
        woo.bc.add_item(sku, 4)
    good = woo.add("GOOD", 1)
    gone = woo.handle.create_product(sku="", variations=[{"sku": "V-1"}, {"sku": "V-2"}])
    run_id = request_sync(woo.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    woo.delete(gone["product_id"])

    drain()

    run = run_of(run_id)
    assert (run.status, run.pushed, run.failed) == ("completed", 1, {"unknown_item": 2})
    assert woo.shown(good) == 4


def test_a_number_that_no_shop_can_hold_fails_without_being_sent(shop: Shop) -> None:
    good = shop.add_stocked("GOOD", 4)
    huge = shop.add_stocked("HUGE", 3_000_000_000, shown=1)

    run = sync(shop.site.id)

    assert (run.status, run.pushed, run.failed) == ("completed", 1, {"quantity_out_of_range": 1})
    assert (shop.shown(good), shop.shown(huge)) == (4, 1)


def test_a_failure_is_forgotten_once_the_row_is_written(shop: Shop) -> None:
    shop.add_stocked("HUGE", 3_000_000_000)
    assert sync(shop.site.id).failed == {"quantity_out_of_range": 1}
    shop.bc.set_stock({"HUGE": 3})

    run = sync(shop.site.id)

    assert (run.pushed, run.failed, failures(shop)) == (1, {}, {})


def test_a_woocommerce_shop_whose_stock_management_is_off_is_refused_with_the_setting_s_name(
    woo: WooCommerceShop,
) -> None:
    woo.add_stocked("A-1", 5)
    woo.handle.configure(stock_managed=False)

    run = sync(woo.site.id)

    assert run.status == "failed"
    assert run.error is not None
    assert "WooCommerce > Settings > Products > Inventory" in run.error
    assert woo.written() == []

    woo.handle.configure(stock_managed=True)
    assert sync(woo.site.id).pushed == 1


def test_stock_management_that_is_switched_off_during_the_sync_fails_every_row_in_words(
    woo: WooCommerceShop,
) -> None:
    run_id, _ = ready_to_push(woo, 3)
    woo.handle.configure(stock_managed=False)

    drain()

    run = run_of(run_id)
    assert (run.status, run.pushed, run.failed) == ("completed", 0, {"untracked": 3})


def test_a_bigcommerce_store_with_two_locations_to_choose_from_is_refused_with_the_choices(
    store: BigCommerceShop,
) -> None:
    store.add_stocked("A-1", 5)
    places = [
        {"id": 7, "code": "MAIN", "enabled": True, "is_default": True},
        {"id": 8, "code": "NORTH", "enabled": True, "is_default": False},
    ]
    store.handle.control("locations", locations=places)

    run = sync(store.site.id)

    assert run.status == "failed"
    assert run.error is not None
    assert run.error.startswith("the shop could not be read: location_id: ")
    assert "7 (Main), 8 (North)" in run.error
    assert store.written() == []


@pytest.mark.parametrize("kind", ["token_revoked", "html_502"])
def test_a_push_that_no_call_carried_fails_the_run_and_leaves_no_row_undecided(shop: Shop, kind: str) -> None:
    run_id, products = ready_to_push(shop, 3)
    shop.handle.set_faults(rules=[{"route": shop.write_route, "kind": kind, "count": None}])
    if kind == "html_502":  # transient: make this the last attempt
        rows("UPDATE rm_queue SET attempts = max_attempts - 1 WHERE kind = 'stock.push'")

    drain()

    run = run_of(run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.startswith("no write went through: ")
    assert (run.pushed, run.failed) == (0, {"push_failed": 3})
    assert rows("SELECT 1 FROM rm_pushes WHERE outcome NOT IN ('pushed', 'unchanged', 'failed')") == []
    assert rows("SELECT last_synced_at FROM rm_sites") == [(None,)]
    assert set(products) == set(failures(shop))


def test_business_central_that_refuses_its_secret_fails_the_run_and_touches_nothing(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    shop.bc.configure(secret_expired=True)

    run = sync(shop.site.id)

    assert run.status == "failed"
    assert run.error is not None
    assert run.error.startswith("Business Central could not be read: ")
    assert (shop.written(), run.skipped, run.deactivated) == ([], {"stock_not_read": 1}, 0)

    shop.bc.configure(secret_expired=False)
    assert sync(shop.site.id).pushed == 1
