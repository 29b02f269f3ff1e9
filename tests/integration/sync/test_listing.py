"""A catalogue that moves while it is listed: nothing that is there gets lost, nothing that is gone stays for good."""

from __future__ import annotations

import re

import pytest

from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain, drain_until_step, sync
from tests.places import run_of
from workers import clock
from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.full_sync.requests import request_sync
from workers.observations import record_shop

TWO_PAGES = {
    "bigcommerce": 253,
    "woocommerce": 103,
}  # a page of BigCommerce holds 250, one of WooCommerce 100


def stocked(shop: Shop, number: int) -> list[int]:
    """Products that Business Central knows, synced; in order of id."""
    skus = [f"SKU{index:04d}" for index in range(number)]
    for sku in skus:
        shop.bc.add_item(sku, 4)
    return list(shop.add_many(skus, 4).values())


def two_pages(shop: Shop) -> list[int]:
    """As many products as take two list pages; they show what they should."""
    products = stocked(shop, TWO_PAGES[shop.site.platform])
    assert sync(shop.site.id).status == "completed"
    return products


def begin_listing(shop: Shop) -> int:
    """A run whose next call is its first list page."""
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "list")
    return run_id


def reads_by_id(shop: Shop) -> list[str]:
    """Targets of the calls that asked for products by id."""
    seen = [request["target"] for request in shop.handle.requests_seen()]
    return [target for target in seen if re.search(r"[?&](id%3Ain|include)=\d", target)]


def test_what_is_deleted_between_two_pages_goes_and_nothing_else(shop: Shop) -> None:
    products = two_pages(shop)
    gone = {products[0], products[-1]}  # one stands on the page that has been read, one on the page to come
    run_id = begin_listing(shop)
    shop.handle.after(
        shop.list_route, *({"action": "delete_product", "product_id": product} for product in sorted(gone))
    )

    drain()

    run = run_of(run_id)
    assert (run.status, run.error, run.failed) == ("completed", None, {})
    assert set(products) - gone <= shop.active()
    assert shop.active() & gone in ({products[0]}, {products[-1]})  # the one that a page still showed
    assert run.deactivated == 1

    again = sync(shop.site.id)

    assert (again.status, again.deactivated) == ("completed", 1)
    assert shop.active() == set(products) - gone


def test_what_is_created_between_two_pages_appears_now_or_with_the_next_sync(shop: Shop) -> None:
    products = two_pages(shop)
    shop.bc.add_item("NEW-LOW", 11)
    shop.bc.add_item("NEW-HIGH", 12)
    run_id = begin_listing(shop)
    shop.handle.after(
        shop.list_route,
        {"action": "create_product", "id": 1, "sku": "NEW-LOW"},
        {"action": "create_product", "id": 9_500_000, "sku": "NEW-HIGH"},
    )

    drain()

    run = run_of(run_id)
    assert (run.status, run.failed, run.deactivated) == ("completed", {}, 0)
    assert shop.active() >= set(products)

    again = sync(shop.site.id)

    assert (again.status, again.failed, again.deactivated) == ("completed", {}, 0)
    assert (shop.shown(1), shop.shown(9_500_000)) == (11, 12)
    assert shop.active() == {*products, 1, 9_500_000}


def test_a_page_that_is_given_twice_in_place_of_another_hides_no_new_product(woo: WooCommerceShop) -> None:
    """As a cache between us does. BigCommerce's pages name where they begin, so that such a one is refused."""
    products = stocked(woo, TWO_PAGES["woocommerce"])
    woo.handle.set_faults(rules=[{"route": woo.list_route, "kind": "repeated", "nth": 3}])

    run = sync(woo.site.id)

    assert woo.handle.counts()["faults"] == {"repeated": 1}
    assert (run.status, run.failed, run.deactivated) == ("completed", {}, 0)
    assert woo.active() == set(products)
    assert run.items_done == len(products)


def test_a_row_missing_from_the_listing_stays_if_it_is_there_when_read_by_id(shop: Shop) -> None:
    """As when offset pages shift: the listing never showed it, the shop has it."""
    product, _ = stocked(shop, 2)
    sync(shop.site.id)
    shop.delete(product)
    run_id = begin_listing(shop)
    drain_until_step(run_id, "confirm")
    shop.add("SKU0000", 4, id=product)

    drain()

    run = run_of(run_id)
    assert (run.status, run.deactivated) == ("completed", 0)
    assert product in shop.active()
    assert len(reads_by_id(shop)) == 1


def test_a_row_that_was_read_since_the_run_began_is_not_even_asked_for(shop: Shop) -> None:
    """A webhook's read is newer than the listing, whatever the listing says."""
    product, _ = stocked(shop, 2)
    sync(shop.site.id)
    shop.delete(product)
    run_id = begin_listing(shop)
    drain_until_step(run_id, "confirm")
    read = ShopItem(ItemRef(product), "SKU0000", "read by a webhook", Tracking.PRODUCT, 4)
    record_shop(shop.site.id, [read], clock.now(), settle_seconds=0, listing=False)

    drain()

    assert (run_of(run_id).status, run_of(run_id).deactivated) == ("completed", 0)
    assert product in shop.active()
    assert reads_by_id(shop) == []


def test_nothing_is_read_by_id_where_nothing_is_missing(shop: Shop) -> None:
    stocked(shop, 3)
    sync(shop.site.id)

    sync(shop.site.id)

    assert reads_by_id(shop) == []


def test_after_a_failed_page_the_run_fails_what_was_seen_is_pushed_and_nothing_is_deactivated(
    shop: Shop,
) -> None:
    products = two_pages(shop)
    gone = products[-2] if isinstance(shop, BigCommerceShop) else products[1]  # on the page that is read
    shop.delete(gone)
    shop.bc.set_stock({"SKU0000": 9, f"SKU{len(products) - 1:04d}": 9})
    run_id = begin_listing(shop)
    shop.handle.set_faults(rules=[{"route": shop.list_route, "kind": "token_revoked", "nth": 2}])

    drain()

    run = run_of(run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.startswith("a page of the shop could not be read: ")
    assert (run.deactivated, run.pushed) == (0, 2)
    assert shop.active() == set(products)
    assert (run.pages_done, run.pages_total) == (1, 2)
    assert (shop.shown(products[0]), shop.shown(products[-1])) == (9, 9)

    shop.handle.set_faults()
    again = sync(shop.site.id)

    assert (again.status, again.deactivated) == ("completed", 1)
    assert shop.active() == set(products) - {gone}


def test_a_product_that_returns_is_sold_again(shop: Shop) -> None:
    product, other = stocked(shop, 2)
    sync(shop.site.id)
    shop.delete(product)
    assert sync(shop.site.id).deactivated == 1
    assert shop.active() == {other}
    assert shop.item(product)["deactivated_at"] is not None

    shop.add("SKU0000", 77, id=product)
    run = sync(shop.site.id)

    assert (run.status, run.pushed) == ("completed", 1)
    assert shop.active() == {product, other}
    assert shop.item(product)["deactivated_at"] is None
    assert shop.shown(product) == 4


def test_a_product_that_is_gone_is_never_pushed(shop: Shop) -> None:
    product, _ = stocked(shop, 2)
    sync(shop.site.id)
    shop.delete(product)
    sync(shop.site.id)
    shop.bc.set_stock({"SKU0000": 30})

    run = sync(shop.site.id)

    assert (run.status, run.pushed, run.failed) == ("completed", 0, {})


def test_a_variant_that_is_deleted_goes_alone(store: BigCommerceShop) -> None:
    for sku in ("V-1", "V-2"):
        store.bc.add_item(sku, 4)
    variants = [{"sku": "V-1", "quantity": 1}, {"sku": "V-2", "quantity": 1}]
    created = store.handle.create_product(sku="MAIN", variants=variants)
    sync(store.site.id)
    store.handle.control("delete_variant", variant_id=created["variant_ids"][1])

    run = sync(store.site.id)

    assert run.deactivated == 1
    assert store.item(created["product_id"], created["variant_ids"][0])["active"]
    assert not store.item(created["product_id"], created["variant_ids"][1])["active"]


@pytest.mark.parametrize("flat", [True, False])
def test_a_variation_that_is_deleted_goes_alone_and_a_trashed_product_goes_whole(
    woo: WooCommerceShop, flat: bool
) -> None:
    woo.handle.configure(flat_variations=flat)
    for sku in ("V-1", "V-2", "W-1"):
        woo.bc.add_item(sku, 4)
    variations = [{"sku": "V-1", "quantity": 1}, {"sku": "V-2", "quantity": 1}]
    kept = woo.handle.create_product(sku="MAIN", variations=variations)
    trashed = woo.handle.create_product(sku="OTHER", variations=[{"sku": "W-1", "quantity": 1}])
    assert sync(woo.site.id).pushed == 3
    woo.handle.delete_product(kept["variation_ids"][1])
    woo.handle.trash_product(trashed["product_id"])

    run = sync(woo.site.id)

    assert (run.status, run.deactivated) == ("completed", 3)  # a variation, a product and its variation
    assert woo.active() == {kept["product_id"]}
    assert woo.item(kept["product_id"], kept["variation_ids"][0])["active"]
    assert not woo.item(kept["product_id"], kept["variation_ids"][1])["active"]

    woo.handle.restore_product(trashed["product_id"])
    sync(woo.site.id)

    assert woo.active() == {kept["product_id"], trashed["product_id"]}


def test_products_gone_are_counted_whole_although_the_confirming_step_was_tried_again(
    store: BigCommerceShop,
) -> None:
    """The step reads 250 at a time: what its first attempt deactivated, the second can't find again."""
    products = stocked(store, 252)
    sync(store.site.id)
    for product in products[:251]:
        store.delete(product)
    run_id = begin_listing(store)
    drain_until_step(run_id, "confirm")
    store.handle.set_faults(rules=[{"route": store.list_route, "kind": "500", "nth": 2}])

    do_next("sync.confirm")
    drain()

    run = run_of(run_id)
    assert (run.status, run.deactivated) == ("completed", 251)
    assert store.active() == {products[-1]}
