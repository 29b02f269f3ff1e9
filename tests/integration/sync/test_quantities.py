"""What a shop is to show: floor(Business Central's quantity - safety stock), never below 0."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.database import execute, row
from tests.integration.sync.shops import Shop
from tests.integration.sync.working import drain, drain_until_step, sync
from tests.places import run_of
from workers.full_sync.requests import request_sync


def keep_back(shop: Shop, pieces: int) -> None:
    """Set the site's safety stock."""
    execute("UPDATE rm_sites SET safety_stock = %s WHERE id = %s", (pieces, shop.site.id))


@pytest.mark.parametrize(
    ("safety_stock", "expected"),
    [
        (0, {"7": 7, "7.99999": 7, "0.99999": 0, "0": 0, "-3": 0, "-0.5": 0, "2147483647": 2147483647}),
        (2, {"7": 5, "7.99999": 5, "2.99999": 0, "1": 0, "-3": 0, "2147483649": 2147483647}),
        (10, {"10.5": 0, "11": 1, "3": 0}),
    ],
)
def test_the_shop_shows_whole_pieces_that_are_really_there(
    shop: Shop, safety_stock: int, expected: dict[str, int]
) -> None:
    keep_back(shop, safety_stock)
    products = {
        in_bc: shop.add_stocked(f"SKU{place}", in_bc, shown=55) for place, in_bc in enumerate(expected)
    }

    run = sync(shop.site.id)

    assert (run.status, run.pushed) == ("completed", len(expected))
    assert {in_bc: shop.shown(product) for in_bc, product in products.items()} == expected


def test_the_inputs_of_the_number_are_kept_beside_it(shop: Shop) -> None:
    keep_back(shop, 2)
    product = shop.add_stocked("A-1", "7.25")

    sync(shop.site.id)

    found = row("SELECT wanted, bc_quantity, safety_stock FROM rm_items WHERE product_id = %s", (product,))
    assert found == (5, Decimal("7.25"), 2)
    assert shop.shown(product) == 5


def test_a_changed_safety_stock_is_pushed_by_the_next_sync(shop: Shop) -> None:
    product = shop.add_stocked("A-1", 7)
    sync(shop.site.id)
    keep_back(shop, 3)

    run = sync(shop.site.id)

    assert (run.pushed, shop.shown(product)) == (1, 4)
    keep_back(shop, 0)
    assert sync(shop.site.id).pushed == 1
    assert shop.shown(product) == 7


def test_a_safety_stock_that_changes_before_the_push_counts_in_this_push(shop: Shop) -> None:
    """What is wanted is read again under the store's lease: the old number would oversell until the next sync."""
    product = shop.add_stocked("A-1", 7)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    keep_back(shop, 3)

    drain()

    assert run_of(run_id).pushed == 1
    assert shop.shown(product) == 4
    assert shop.written() == [("A-1", 4)]


def test_stock_that_was_read_again_before_the_push_is_what_is_pushed(shop: Shop) -> None:
    product = shop.add_stocked("A-1", 7)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    execute("UPDATE rm_stock SET quantity = 2, read_started_at = clock_timestamp()")  # as the stock feed does

    drain()

    assert shop.written() == [("A-1", 2)]
    assert shop.item(product)["wanted"] == 2


def test_a_blocked_item_keeps_its_quantity(shop: Shop) -> None:
    product = shop.add_stocked("A-1", 7)
    sync(shop.site.id)
    shop.bc.change_item("A-1", blocked=True)
    assert sync(shop.site.id).pushed == 0
    shop.bc.set_stock({"A-1": 6})

    run = sync(shop.site.id)

    assert (run.status, run.skipped, run.pushed) == ("completed", {}, 1)
    assert shop.shown(product) == 6


def test_an_item_that_becomes_a_service_is_left_alone_not_sold_out(shop: Shop) -> None:
    product = shop.add_stocked("A-1", 7)
    sync(shop.site.id)
    shop.bc.change_item("A-1", type="Service")

    run = sync(shop.site.id)

    assert (run.skipped, run.pushed) == ({"not_inventory": 1}, 0)
    assert shop.shown(product) == 7
