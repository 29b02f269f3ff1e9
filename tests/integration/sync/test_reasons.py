"""Why a row is left alone: never written, listed with its reason, counted in the run."""

from __future__ import annotations

from models.company import Company
from models.database import execute
from tests.integration.sync.shops import BigCommerceShop, Shop, Shops, WooCommerceShop
from tests.integration.sync.working import drain, sync
from tests.places import run_of
from workers.full_sync.requests import request_sync_all

TWENTY = "EXACTLY-20-000001-AB"  # as long as a number of Business Central can be


def assert_only_good_was_written(shop: Shop) -> None:
    """GOOD is the one product that each of these shops may have written."""
    assert [sku for sku, _ in shop.written()] == ["GOOD"]
    assert shop.handle.compare().correct


def test_what_names_no_item_of_business_central_is_left_alone(shop: Shop) -> None:
    shop.add_stocked("GOOD", 5)
    shop.bc.add_item("WORK", 0, type="Service")
    shop.bc.add_item("POSTAGE", 0, type="Non_x002D_Inventory")
    for sku in ("NOPE", "", "  ", "WORK", "postage"):
        shop.add(sku, 7)

    run = sync(shop.site.id)

    assert run.status == "completed"
    assert shop.reasons() == {
        "GOOD": None,
        "NOPE": "unknown",
        "": "empty",
        "  ": "empty",
        "WORK": "not_inventory",
        "postage": "not_inventory",
    }
    assert run.skipped == {"unknown": 1, "empty": 2, "not_inventory": 2}
    assert_only_good_was_written(shop)


def test_skus_that_are_equal_only_after_the_cut_are_ambiguous_and_none_is_written(shop: Shop) -> None:
    shop.add_stocked("GOOD", 5)
    shop.bc.add_item(TWENTY, 9)
    shop.add(TWENTY, 1)
    shop.add(f"{TWENTY}-RED", 2)

    run = sync(shop.site.id)

    assert shop.reasons() == {"GOOD": None, TWENTY: "ambiguous", f"{TWENTY}-RED": "ambiguous"}
    assert run.skipped == {"ambiguous": 2}
    assert_only_good_was_written(shop)


def test_once_the_other_product_is_gone_the_sku_is_no_longer_ambiguous(shop: Shop) -> None:
    shop.bc.add_item(TWENTY, 9)
    kept = shop.add(f"{TWENTY}-RED", 2)
    removed = shop.add(f"{TWENTY}-BLUE", 2)
    assert sync(shop.site.id).skipped == {"ambiguous": 2}
    shop.delete(removed)

    run = sync(shop.site.id)

    assert (run.skipped, run.pushed) == ({}, 1)
    assert shop.shown(kept) == 9


def test_the_same_sku_on_two_products_is_no_ambiguity_whatever_its_case_and_outer_spaces(shop: Shop) -> None:
    shop.bc.add_item("TWICE", 6)
    products = [shop.add(sku, 1) for sku in ("TWICE", "twice", " Twice ")]

    run = sync(shop.site.id)

    assert (run.status, run.skipped, run.pushed) == ("completed", {}, 3)
    assert [shop.shown(product) for product in products] == [6, 6, 6]


def test_a_row_that_was_right_before_is_left_alone_once_a_reason_arises(shop: Shop) -> None:
    product = shop.add_stocked("GOOD", 5)
    sync(shop.site.id)
    shop.bc.remove_item("GOOD")
    shop.set_in_shop(product, 33)

    run = sync(shop.site.id)

    assert (run.status, run.skipped, run.pushed) == ("completed", {"unknown": 1}, 0)
    assert shop.shown(product) == 33  # not in the answer is unknown, never 0
    assert (shop.item(product)["wanted"], shop.item(product)["bc_quantity"]) == (None, None)


def test_bigcommerce_rows_that_hold_no_stock_of_their_own_are_left_alone(store: BigCommerceShop) -> None:
    store.add_stocked("GOOD", 5)
    for sku in ("BOOK", "SHIRT", "SHIRT-S", "SHIRT-L", "MUG-1", "MUG-2"):
        store.bc.add_item(sku, 8)
    store.add("BOOK", 3, tracking="none")
    store.handle.create_product(sku="", tracking="none", variants=[{"sku": "MUG-1"}, {"sku": "MUG-2"}])
    shirt = store.handle.create_product(
        sku="SHIRT", quantity=1, tracking="product", variants=[{"sku": "SHIRT-S"}, {"sku": "SHIRT-L"}]
    )

    run = sync(store.site.id)

    assert store.reasons() == {
        "GOOD": None,
        "BOOK": "untracked",
        "MUG-1": "untracked",
        "MUG-2": "untracked",
        "SHIRT": None,
        "SHIRT-S": "tracked_by_product",
        "SHIRT-L": "tracked_by_product",
    }
    assert run.skipped == {"untracked": 3, "tracked_by_product": 2}
    assert sorted(sku for sku, _ in store.written()) == ["GOOD", "SHIRT"]
    assert store.shown(shirt["product_id"]) == 8
    assert store.handle.compare().correct


def test_woocommerce_rows_that_hold_no_stock_of_their_own_are_left_alone(woo: WooCommerceShop) -> None:
    woo.add_stocked("GOOD", 5)
    for sku in ("BOOK", "SHIRT", "SHIRT-S", "SHIRT-L", "MUG", "MUG-1"):
        woo.bc.add_item(sku, 8)
    woo.add("BOOK", 3, manage_stock=False)
    woo.handle.create_product(
        sku="SHIRT",
        quantity=1,
        manage_stock=True,
        variations=[{"sku": "SHIRT-S", "manage_stock": False}, {"sku": "SHIRT-L", "manage_stock": False}],
    )
    mug = woo.handle.create_product(sku="MUG", variations=[{"sku": "MUG-1"}, {"sku": "", "quantity": 2}])

    run = sync(woo.site.id)

    assert run.skipped == {"untracked": 2, "tracked_by_product": 2, "inherits_sku": 1}
    assert woo.item(mug["product_id"])["skip_reason"] == "untracked"
    assert woo.item(mug["product_id"], mug["variation_ids"][1])["skip_reason"] == "inherits_sku"
    assert sorted(sku for sku, _ in woo.written()) == ["GOOD", "MUG-1", "SHIRT"]
    assert woo.handle.compare().correct


def test_products_of_other_channels_are_counted_and_never_touched(store: BigCommerceShop) -> None:
    store.add_stocked("GOOD", 5)
    store.add_stocked("ELSEWHERE", 5, channels=[2])
    store.add_stocked("NOWHERE", 5, channels=[])

    run = sync(store.site.id)

    assert (run.status, run.skipped, run.items_total) == ("completed", {"other_channel": 2}, 1)
    assert store.reasons() == {"GOOD": None}
    assert_only_good_was_written(store)


def test_a_product_that_leaves_our_channels_is_left_alone_from_then_on(store: BigCommerceShop) -> None:
    product = store.add_stocked("GOOD", 5)
    sync(store.site.id)
    store.handle.change_product(product, channels=[2])
    store.bc.set_stock({"GOOD": 6})

    run = sync(store.site.id)

    assert (run.deactivated, run.pushed, run.skipped) == (1, 0, {"other_channel": 1})
    assert store.shown(product) == 5


def test_a_product_in_the_channels_of_two_sites_of_a_store_is_contested_and_neither_writes_it(
    simulators: Shops, owner: Company
) -> None:
    handle = simulators.bigcommerce[0]
    one = BigCommerceShop(simulators.bc, owner, handle, name="one", channel_ids=[1])
    two = BigCommerceShop(simulators.bc, owner, handle, name="two", channel_ids=[2])
    one.add_stocked("GOOD", 5, channels=[1])
    one.add_stocked("ALSO-GOOD", 5, channels=[2])
    shared = one.add_stocked("SHARED", 5, channels=[1, 2])

    asked = request_sync_all(requested_by="test")
    drain()

    found = [run_of(one_of.run_id) for one_of in asked]
    assert [run.status for run in found] == ["completed", "completed"]
    assert [run.skipped for run in found] == [{"contested": 1, "other_channel": 1}] * 2
    assert one.reasons() == {"GOOD": None, "SHARED": "contested"}
    assert two.reasons() == {"ALSO-GOOD": None, "SHARED": "contested"}
    assert sorted(sku for sku, _ in one.written()) == ["ALSO-GOOD", "GOOD"]
    assert handle.row(product_id=shared)["writes"] == 0

    execute("UPDATE rm_sites SET active = false WHERE id = %s", (two.site.id,))
    run = sync(one.site.id)

    assert (run.pushed, run.skipped) == (1, {"other_channel": 1})
    assert one.shown(shared) == 5
