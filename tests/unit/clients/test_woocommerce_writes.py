"""Stock writes to WooCommerce: groups that one call can carry, and each row judged by its own answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.clients.answers import Answer
from workers.clients.shop import ItemRef, StockWrite, Tracking, Verdict
from workers.clients.woocommerce_writes import batches, judge

refs = st.builds(ItemRef, st.integers(1, 6), st.integers(0, 400))


def write(ref: ItemRef, quantity: int = 5) -> StockWrite:
    return StockWrite(ref, quantity, Tracking.VARIANT if ref.variant_id else Tracking.PRODUCT)


@given(st.lists(refs, unique=True, max_size=500))
def test_batches_hold_every_row_once_in_groups_that_one_call_can_carry(rows: list[ItemRef]) -> None:
    groups = batches([write(ref) for ref in rows])
    assert sorted(rows, key=repr) == sorted((w.ref for group in groups for w in group), key=repr)
    for group in groups:
        assert 0 < len(group) <= 100
        assert len({w.ref.product_id if w.ref.variant_id else None for w in group}) == 1


def test_products_of_many_calls_share_as_few_batches_as_possible() -> None:
    groups = batches([write(ItemRef(n)) for n in range(1, 251)])
    assert [len(group) for group in groups] == [100, 100, 50]


def answer(body: Any) -> Answer:
    return Answer(200, {}, json.dumps(body).encode(), "", "WooCommerce POST products/batch", True)


@pytest.mark.parametrize(
    ("item", "verdict", "reason", "shown"),
    [
        ({"manage_stock": True, "stock_quantity": 5}, Verdict.ACCEPTED, None, 5),
        ({"manage_stock": True, "stock_quantity": 5.0}, Verdict.ACCEPTED, None, 5),
        ({"manage_stock": True, "stock_quantity": 4}, Verdict.IGNORED, "ignored_by_shop", 4),
        ({"manage_stock": True, "stock_quantity": None}, Verdict.IGNORED, "ignored_by_shop", None),
        ({"manage_stock": False, "stock_quantity": None}, Verdict.IGNORED, "untracked", None),
        ({"manage_stock": "parent", "stock_quantity": 5}, Verdict.IGNORED, "tracked_by_product", None),
        (
            {"error": {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID.", "data": {}}},
            Verdict.REFUSED,
            "unknown_item",
            None,
        ),
        (
            {"error": {"code": "woocommerce_rest_cannot_edit", "message": ""}},
            Verdict.REFUSED,
            "cannot_edit",
            None,
        ),
    ],
)
def test_a_row_is_judged_by_what_came_back_for_it(
    item: dict[str, Any], verdict: Verdict, reason: str | None, shown: int | None
) -> None:
    results, missing = judge([write(ItemRef(7))], answer({"update": [{"id": 7, **item}]}))
    assert missing == []
    assert [(r.verdict, r.reason, r.shown) for r in results] == [(verdict, reason, shown)]


@pytest.mark.parametrize(
    "body",
    [[], {}, {"update": []}, {"update": [{"id": 8, "manage_stock": True, "stock_quantity": 5}]}]
    + [
        {"update": [fault]}
        for fault in ({"id": 7}, {"id": 7, "manage_stock": True, "stock_quantity": "x"}, 7)
    ],
)
def test_a_row_that_the_answer_does_not_tell_of_is_unknown(body: Any) -> None:
    rows = [write(ItemRef(7))]
    assert judge(rows, answer(body)) == ([], rows)


def test_a_variation_is_found_by_its_own_id() -> None:
    rows = [write(ItemRef(7, 71)), write(ItemRef(7, 72))]
    items = [{"id": n, "manage_stock": True, "stock_quantity": 5} for n in (72, 71)]
    results, missing = judge(rows, answer({"update": items}))
    assert missing == []
    assert [(r.ref.variant_id, r.verdict) for r in results] == [
        (71, Verdict.ACCEPTED),
        (72, Verdict.ACCEPTED),
    ]
