"""WooCommerce's products and variations as rows: who holds the stock, and how much."""

from __future__ import annotations

from typing import Any

import pytest

from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.clients.typed import parse
from workers.clients.woocommerce_listing import cursors
from workers.clients.woocommerce_rows import PRODUCTS, VARIATIONS, product_rows, variation_rows
from workers.errors import BadAnswer


def products(*rows: dict[str, Any]) -> list[ShopItem]:
    found = parse(PRODUCTS, list(rows), "products")
    return product_rows(found)


def variations(row: dict[str, Any], parent_id: int | None = None) -> list[ShopItem]:
    found = parse(VARIATIONS, [row], "variations")
    return variation_rows(found, parent_id)


def product(**changed: Any) -> dict[str, Any]:
    usual = {"id": 7, "sku": "A", "name": "Cup", "type": "simple", "status": "publish"}
    return usual | {"manage_stock": True, "stock_quantity": 3} | changed


def variation(**changed: Any) -> dict[str, Any]:
    return {"id": 71, "sku": "A-1", "parent_id": 7, "manage_stock": True, "stock_quantity": 4} | changed


@pytest.mark.parametrize(
    ("changed", "tracking", "shown"),
    [
        ({}, Tracking.PRODUCT, 3),
        ({"stock_quantity": -2}, Tracking.PRODUCT, -2),
        ({"stock_quantity": None}, Tracking.PRODUCT, None),
        ({"stock_quantity": 3.0}, Tracking.PRODUCT, 3),
        ({"stock_quantity": "3.000"}, Tracking.PRODUCT, 3),
        ({"stock_quantity": 2.5}, Tracking.PRODUCT, None),
        ({"manage_stock": False}, Tracking.NONE, None),
        ({"type": "variable"}, Tracking.PRODUCT, 3),
        ({"type": "variable", "manage_stock": False}, Tracking.NONE, None),
        ({"type": "grouped"}, Tracking.NONE, None),
        ({"type": "external"}, Tracking.NONE, None),
        ({"type": "subscription"}, Tracking.PRODUCT, 3),
    ],
)
def test_a_product_is_one_row(changed: dict[str, Any], tracking: Tracking, shown: int | None) -> None:
    (row,) = products(product(**changed))
    assert (row.ref, row.sku, row.tracking, row.shown) == (ItemRef(7), "A", tracking, shown)


def test_trash_and_variations_are_no_products() -> None:
    assert products(product(status="trash"), product(type="variation")) == []


@pytest.mark.parametrize(
    ("changed", "tracking", "shown"),
    [
        ({}, Tracking.VARIANT, 4),
        ({"manage_stock": "parent"}, Tracking.PARENT, None),
        ({"manage_stock": False}, Tracking.NONE, None),
    ],
)
def test_a_variation_is_a_row_below_its_parent(
    changed: dict[str, Any], tracking: Tracking, shown: int | None
) -> None:
    (row,) = variations(variation(**changed))
    assert (row.ref, row.sku, row.tracking, row.shown) == (ItemRef(7, 71), "A-1", tracking, shown)


def test_a_parents_own_list_needs_no_parent_id() -> None:
    (row,) = variations(variation(parent_id=None), 7)
    assert row.ref == ItemRef(7, 71)


def test_a_variation_of_no_parent_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="parent_id"):
        variations(variation(parent_id=0))


@pytest.mark.parametrize(
    "fault", [{"manage_stock": "yes"}, {"manage_stock": None}, {"stock_quantity": "many"}, {"id": "7"}]
)
def test_a_row_of_another_shape_is_a_bad_answer_and_never_a_zero(fault: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer) as error:
        parse(PRODUCTS, [product() | fault], "products")
    assert next(iter(fault)) in str(error.value)


def test_pages_are_read_from_the_last_one_down() -> None:
    found = [(c["listing"], c["page"]) for c in cursors(250, 101)]
    assert found == [("products", 3), ("products", 2), ("products", 1), ("variations", 2), ("variations", 1)]


def test_an_empty_shop_still_has_a_page_where_its_first_product_may_appear() -> None:
    assert [(c["listing"], c["page"]) for c in cursors(0, 0)] == [("products", 1)]
