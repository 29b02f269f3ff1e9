"""Stock writes to BigCommerce: which rows are found bad, in how many calls, and what survives a stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.clients import bigcommerce_writes as writing
from workers.clients.shop import ItemRef, StockWrite, Tracking, Verdict
from workers.errors import LeaseLost, PartialWrite, RateLimited, RemoteTimeout


def row(number: int, quantity: int = 5, tracking: Tracking = Tracking.VARIANT) -> StockWrite:
    variant = number if tracking is Tracking.VARIANT else 0
    return StockWrite(ItemRef(10_000 + number, variant), quantity, tracking)


class Shop:
    """Refuses a call that carries a bad row; `words` says with which text."""

    def __init__(self, bad: set[int], words: Callable[[Sequence[int]], str] = lambda _: "not valid") -> None:
        self.bad, self.words = bad, words
        self.calls: list[list[int]] = []

    def send(self, rows: Sequence[StockWrite]) -> str | None:
        numbers = [row.ref.product_id - 10_000 for row in rows]
        self.calls.append(numbers)
        bad = [number for number in numbers if number in self.bad]
        return self.words(bad) if bad else None


def refused(results: Sequence[writing.WriteResult]) -> set[int]:
    return {r.ref.product_id - 10_000 for r in results if r.verdict is Verdict.REFUSED}


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(1, n), max_size=12))))
def test_exactly_the_bad_rows_are_refused_in_few_calls(case: tuple[int, set[int]]) -> None:
    size, bad = case
    shop = Shop(bad)
    results = writing.write_rows([row(n) for n in range(1, size + 1)], shop.send)
    assert refused(results) == bad
    assert sorted(r.ref.product_id for r in results) == [10_000 + n for n in range(1, size + 1)]
    depth = math.ceil(math.log2(size)) + 1 if size > 1 else 1
    assert len(shop.calls) <= 1 + 2 * len(bad) * depth


@given(st.sets(st.integers(1, 2_000), min_size=1, max_size=40))
def test_rows_that_the_refusal_names_cost_two_calls_each_at_most(bad: set[int]) -> None:
    shop = Shop(bad, lambda found: f"[Item with variant_id {found[0]} is tracked by product, please update]")
    results = writing.write_rows([row(n) for n in range(1, 2_001)], shop.send)
    assert refused(results) == bad
    assert {r.reason for r in results if r.verdict is Verdict.REFUSED} == {"tracked_by_product"}
    assert len(shop.calls) <= 1 + 2 * len(bad)


def test_a_text_that_names_a_good_row_is_not_believed() -> None:
    shop = Shop({7}, lambda _: "Item with variant_id 3 does not exist")
    results = writing.write_rows([row(n) for n in range(1, 21)], shop.send)
    assert refused(results) == {7}


def test_a_refusal_that_no_row_causes_ends_after_a_bounded_number_of_calls() -> None:
    shop = Shop(set(range(1, 2_001)))
    results = writing.write_rows([row(n) for n in range(1, 2_001)], shop.send)
    assert len(results) == 2_000
    assert refused(results) == set(range(1, 2_001))
    assert len(shop.calls) <= writing.FRUITLESS_CALLS + 1


@pytest.mark.parametrize("quantity", [-1, 2_147_483_648, 2.0, True, "5", None])
def test_a_quantity_out_of_range_is_never_sent(quantity: object) -> None:
    shop = Shop(set())
    odd = StockWrite(ItemRef(10_002, 2), quantity, Tracking.VARIANT)  # type: ignore[arg-type]
    results = writing.write_rows([row(1), odd], shop.send)
    assert shop.calls == [[1]]
    assert [(r.verdict, r.reason) for r in results if r.ref == odd.ref] == [
        (Verdict.REFUSED, "quantity_out_of_range")
    ]


def test_rows_without_stock_of_their_own_are_never_sent() -> None:
    shop = Shop(set())
    rows = [row(1), row(2, tracking=Tracking.PARENT), row(3, tracking=Tracking.NONE)]
    results = writing.write_rows(rows, shop.send)
    assert shop.calls == [[1]]
    assert {r.reason for r in results} == {None, "tracked_by_product", "untracked"}


def test_a_timeout_half_way_keeps_what_is_decided_and_names_what_is_unsure() -> None:
    shop = Shop({1, 2, 3, 4})

    def send(rows: Sequence[StockWrite]) -> str | None:
        if len(shop.calls) == 3:
            raise RemoteTimeout("timed out", outcome_unknown=True)
        return shop.send(rows)

    with pytest.raises(PartialWrite) as stopped:
        writing.write_rows([row(n) for n in range(1, 9)], send)
    assert [r.verdict for r in stopped.value.results] == [Verdict.ACCEPTED] * 4
    assert {ref.variant_id for ref in stopped.value.unsure} == {1, 2}
    assert isinstance(stopped.value.cause, RemoteTimeout)


def test_a_rate_limit_leaves_nothing_unsure() -> None:
    calls: list[int] = []

    def send(rows: Sequence[StockWrite]) -> str | None:
        calls.append(len(rows))
        if len(calls) > 1:
            raise RateLimited("later", status=429)
        return "not valid"

    with pytest.raises(PartialWrite) as stopped:
        writing.write_rows([row(1), row(2)], send)
    assert stopped.value.results == ()
    assert stopped.value.unsure == ()


def test_a_stop_at_the_first_call_is_the_error_itself() -> None:
    def send(_: Sequence[StockWrite]) -> str | None:
        raise LeaseLost("another job holds this store")

    with pytest.raises(LeaseLost):
        writing.write_rows([row(1), row(2)], send)


@given(st.integers(0, 5_000))
def test_batches_hold_every_row_once_and_2000_at_most(count: int) -> None:
    rows = [row(n) for n in range(count)]
    groups = writing.batches(rows)
    assert [r for group in groups for r in group] == rows
    assert all(0 < len(group) <= 2_000 for group in groups)
    assert len(groups) == math.ceil(count / 2_000)


def test_rows_are_addressed_by_whoever_holds_their_stock() -> None:
    assert writing.identity(row(7)) == {"variant_id": 7}
    assert writing.identity(row(7, tracking=Tracking.PRODUCT)) == {"product_id": 10_007}
