"""How Business Central is asked: in or-chains or by a scan, whichever takes fewer calls."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from models import setting
from models.database import execute, rows
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain, drain_until_step, sync
from tests.places import run_of
from tests.simulators.handles import BusinessCentralHandle
from workers.full_sync.requests import request_sync, request_sync_all

SCAN_PAGE = 20_000


@pytest.fixture
def shop(woo: WooCommerceShop) -> Shop:
    """One is enough: the shop's platform makes no difference to how Business Central is asked."""
    return woo


def company_has(items: int) -> None:
    """As if the last scan had found so many items; the guard minds no difference."""
    setting.change("guard_least_skus", 1_000_000)
    execute("UPDATE rm_companies SET item_count = %s", (items,))


def filters(bc: BusinessCentralHandle) -> list[str]:
    """The filter of each read of items, oldest first; empty for a scan."""
    targets = [unquote(request["target"]) for request in bc.requests_seen() if "/items?" in request["target"]]
    return [target.partition("$filter=")[2] for target in targets]


def modes() -> list[tuple[str, int, int]]:
    """(mode, pages, rows) of each refresh."""
    found = rows("SELECT mode, pages, rows_read FROM rm_stock_refreshes ORDER BY id")
    return [(mode, pages, read) for mode, pages, read in found]


def test_a_small_shop_of_a_large_company_asks_for_its_own_numbers_in_one_call(shop: Shop) -> None:
    for number in range(20):
        shop.bc.add_item(f"OTHER-{number}", 1)
    product = shop.add_stocked("O'NEIL & CO+1", 5)
    shop.add_stocked("B-2", 6)
    sync(shop.site.id)
    company_has(5 * SCAN_PAGE)
    shop.bc.reset()
    shop.bc.set_stock({"O'NEIL & CO+1": 9})

    run = sync(shop.site.id)

    assert (run.status, run.pushed, run.skipped) == ("completed", 1, {})
    assert filters(shop.bc) == ["number eq 'B-2' or number eq 'O''NEIL & CO+1'"]
    assert modes()[1] == ("chains", 1, 2)
    assert shop.shown(product) == 9


def test_a_site_that_was_never_synced_has_the_company_scanned(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    company_has(5 * SCAN_PAGE)

    run = sync(shop.site.id)

    assert (run.status, modes()) == ("completed", [("scan", 1, 1)])
    assert filters(shop.bc) == [""]
    assert rows("SELECT item_count FROM rm_companies") == [(1,)]


def test_where_chains_would_take_more_calls_the_company_is_scanned(shop: Shop) -> None:
    skus = [f"A-LONG-NUMBER-{index:06d}" for index in range(400)]
    for sku in skus:
        shop.bc.add_item(sku, 5)
    shop.add_many(skus, 5)
    sync(shop.site.id)
    company_has(2 * SCAN_PAGE)

    run = sync(shop.site.id)

    assert run.status == "completed"
    assert [mode for mode, _, _ in modes()] == ["scan", "scan"]
    company_has(9 * SCAN_PAGE)
    assert sync(shop.site.id).status == "completed"
    mode, pages, read = modes()[2]
    assert (mode, read) == ("chains", 400)
    assert 2 < pages < 9


def test_what_is_not_in_the_answer_of_a_chain_is_unknown_never_0(shop: Shop) -> None:
    product = shop.add_stocked("A-1", 5)
    shop.add_stocked("B-2", 6)
    sync(shop.site.id)
    company_has(5 * SCAN_PAGE)
    shop.bc.remove_item("A-1")

    run = sync(shop.site.id)

    assert modes()[1][0] == "chains"
    assert (run.status, run.skipped, run.pushed) == ("completed", {"unknown": 1}, 0)
    assert shop.shown(product) == 5
    assert shop.item(product)["wanted"] is None


def test_products_that_the_listing_brought_are_asked_for_too(shop: Shop) -> None:
    """The chains are made from the keys known when the refresh begins; the listing may find more after it."""
    shop.add_stocked("A-1", 5)
    sync(shop.site.id)
    company_has(5 * SCAN_PAGE)
    new = shop.add_stocked("NEW-1", 7)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    do_next("stock.refresh")

    drain()

    assert modes()[1][0] == "chains"
    assert (run_of(run_id).status, run_of(run_id).skipped) == ("completed", {})
    assert shop.shown(new) == 7


def test_a_key_that_was_being_stored_while_the_keys_were_read_is_asked_for_too(shop: Shop) -> None:
    """A row bears the time at which its transaction began, which may be before the refresh that missed it."""
    product = shop.add_stocked("A-1", 5)
    shop.add_stocked("OLD-2", 5)
    sync(shop.site.id)
    company_has(5 * SCAN_PAGE)
    shop.bc.add_item("NEW-2", 8)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    do_next("stock.refresh")
    drain_until_step(run_id, "compare")
    execute(
        "UPDATE rm_items SET sku = 'NEW-2', sku_key = 'NEW-2', sku_full_key = 'NEW-2', updated_at ="
        " (SELECT read_started_at - interval '1 second' FROM rm_stock_refreshes ORDER BY id DESC LIMIT 1)"
        " WHERE product_id = %s",
        (product,),
    )

    drain()

    assert run_of(run_id).skipped == {}
    assert shop.item(product)["wanted"] == 8


def test_the_chains_of_two_sites_ask_for_each_number_once(
    store: BigCommerceShop, woo: WooCommerceShop
) -> None:
    store.add_stocked("A-1", 5)
    store.add_stocked("B-2", 5)
    woo.add("b-2", 1)
    woo.add_stocked("C-3", 5)
    sync(store.site.id)
    sync(woo.site.id)
    company_has(5 * SCAN_PAGE)
    store.bc.reset()

    request_sync_all(requested_by="test")
    drain()

    assert filters(store.bc) == ["number eq 'A-1' or number eq 'B-2' or number eq 'C-3'"]


def test_a_read_that_failed_half_way_leaves_what_it_did_not_reach_as_it_was(shop: Shop) -> None:
    skus = [f"A-LONG-NUMBER-{index:06d}" for index in range(200)]  # two chains
    for sku in skus:
        shop.bc.add_item(sku, 5)
    products = shop.add_many(skus, 5)
    sync(shop.site.id)
    company_has(5 * SCAN_PAGE)
    shop.bc.set_stock({skus[0]: 0, skus[-1]: 0})
    shop.bc.set_faults(rules=[{"route": "GET *items", "kind": "token_revoked", "nth": 2, "count": None}])

    run = sync(shop.site.id)

    assert run.status == "failed"
    assert run.error is not None
    assert run.error.startswith("Business Central could not be read: ")
    assert run.pushed == 1  # what was read is still pushed
    assert set(run.skipped) == {"stock_not_read"}
    assert (shop.shown(products[skus[0]]), shop.shown(products[skus[-1]])) == (0, 5)
    assert shop.item(products[skus[-1]])["wanted"] == 5
