"""BigCommerce's products and inventory as rows: the SKU, who holds the stock, and what is on hand."""

from __future__ import annotations

from typing import Any

import pytest

from workers.clients.bigcommerce_rows import (
    INVENTORY,
    PRODUCTS,
    InventoryItem,
    OnHand,
    rows_of,
    shows_more_than_on_hand,
    with_on_hand,
)
from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.clients.typed import chunked, parse
from workers.errors import BadAnswer

OPTION = [{"id": 1, "label": "Large"}]


def variant(number: int, sku: str, level: int = 0, *, base: bool = False) -> dict[str, Any]:
    options = [] if base else OPTION
    return {"id": number, "sku": sku, "inventory_level": level, "option_values": options}


def rows(tracking: str, *variants: dict[str, Any], sku: str = "MAIN", level: int = 9) -> list[ShopItem]:
    product = {"id": 7, "name": "Cup", "sku": sku, "inventory_level": level}
    product |= {"inventory_tracking": tracking, "variants": list(variants)}
    return rows_of(parse(PRODUCTS, [product], "products")[0])


def test_a_simple_product_tracked_by_product_is_one_row() -> None:
    assert rows("product", variant(70, "MAIN", base=True)) == [
        ShopItem(ItemRef(7), "MAIN", "Cup", Tracking.PRODUCT, 9)
    ]


def test_a_simple_product_without_a_sku_goes_by_its_base_variant() -> None:
    assert rows("product", variant(70, "BASE", base=True), sku="")[0].sku == "BASE"


def test_a_simple_product_that_is_not_tracked_shows_nothing() -> None:
    assert rows("none", variant(70, "MAIN", 4, base=True)) == [
        ShopItem(ItemRef(7), "MAIN", "Cup", Tracking.NONE, None)
    ]


def test_variants_of_a_product_that_holds_their_stock_are_listed_as_its_parts() -> None:
    assert [
        (r.ref, r.sku, r.tracking, r.shown) for r in rows("product", variant(70, "A"), variant(71, "B"))
    ] == [
        (ItemRef(7), "MAIN", Tracking.PRODUCT, 9),
        (ItemRef(7, 70), "A", Tracking.PARENT, None),
        (ItemRef(7, 71), "B", Tracking.PARENT, None),
    ]


def test_variants_that_hold_their_own_stock_are_the_only_rows() -> None:
    assert [
        (r.ref, r.sku, r.tracking, r.shown) for r in rows("variant", variant(70, "A", 3), variant(71, "", 4))
    ] == [
        (ItemRef(7, 70), "A", Tracking.VARIANT, 3),
        (ItemRef(7, 71), "", Tracking.VARIANT, 4),
    ]


def test_a_base_variant_that_holds_the_stock_goes_by_the_products_sku() -> None:
    assert [(r.ref, r.sku) for r in rows("variant", variant(70, "", 3, base=True))] == [
        (ItemRef(7, 70), "MAIN")
    ]


def test_variants_without_tracking_are_listed_untracked() -> None:
    assert [(r.ref, r.tracking) for r in rows("none", variant(70, "A"), variant(71, "B"))] == [
        (ItemRef(7, 70), Tracking.NONE),
        (ItemRef(7, 71), Tracking.NONE),
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"inventory_level": "5"},
        {"inventory_level": 5.5},
        {"inventory_tracking": "sku"},
        {"inventory_tracking": None},
        {"variants": None},
        {"id": None},
    ],
)
def test_a_row_of_another_shape_is_a_bad_answer_and_never_a_zero(fault: dict[str, Any]) -> None:
    product = {"id": 7, "sku": "A", "inventory_level": 1, "inventory_tracking": "product", "variants": []}
    with pytest.raises(BadAnswer) as error:
        parse(PRODUCTS, [product | fault], "products")
    assert next(iter(fault)) in str(error.value)


def item(product: int, variant_id: int | None, on_hand: int, **more: Any) -> dict[str, Any]:
    level = {"location_id": 1, "available_to_sell": on_hand, "total_inventory_onhand": on_hand, **more}
    return {"identity": {"product_id": product, "variant_id": variant_id, "sku": "A"}, "locations": [level]}


def inventory(*rows: dict[str, Any]) -> list[InventoryItem]:
    return parse(INVENTORY, list(rows), "inventory")


def test_on_hand_is_found_by_variant_and_by_product() -> None:
    found = OnHand(inventory(item(7, 70, 3), item(7, 71, 4), item(8, None, 5)), 1)
    assert [found.at(r) for r in (ItemRef(7, 70), ItemRef(7, 71), ItemRef(8))] == [3, 4, 5]


def test_on_hand_that_the_answer_does_not_tell_is_unknown() -> None:
    found = OnHand(inventory(item(7, 70, 3), item(7, 71, 4), item(8, 80, 5, location_id=2)), 1)
    assert [found.at(r) for r in (ItemRef(7), ItemRef(8), ItemRef(9, 90))] == [None, None, None]


def test_only_rows_that_hold_stock_take_what_is_on_hand() -> None:
    found = OnHand(inventory(item(7, None, 12)), 1)
    listed = with_on_hand(rows("product", variant(70, "A"), variant(71, "B")), found)
    assert [r.shown for r in listed] == [12, None, None]


@pytest.mark.parametrize(
    ("row", "differs"),
    [
        (item(7, 70, 3), False),
        (item(7, 70, 3, settings={"safety_stock": 2}), True),
        (item(7, 70, 3, available_to_sell=1), True),
        (item(7, 70, 3, location_id=2), True),
        (item(7, 70, 3, location_id=2, location_enabled=False), False),
    ],
)
def test_the_catalogues_figure_can_stand_for_on_hand_unless_something_is_kept_apart(
    row: dict[str, Any], differs: bool
) -> None:
    assert shows_more_than_on_hand(inventory(row), 1) is differs


def test_ids_are_cut_into_groups_that_fit_a_url() -> None:
    ids = [10_000_000 + n for n in range(2_000)]
    groups = list(chunked(ids, most=1_000))
    assert [number for group in groups for number in group] == ids
    assert all(len("%2C".join(map(str, group))) <= 6_000 for group in groups)
    assert [len(group) for group in chunked(ids, most=250)] == [250] * 8
