"""What a shop should show."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from workers.quantity import wanted

quantities = st.decimals(min_value=-(10**9), max_value=10**9, places=5, allow_nan=False, allow_infinity=False)
safety = st.integers(min_value=0, max_value=10**9)


@given(quantities, safety)
def test_a_shop_never_shows_less_than_nothing(quantity: Decimal, safety_stock: int) -> None:
    assert wanted(quantity, safety_stock) >= 0


@given(quantities, safety)
def test_a_shop_never_sells_what_is_not_there_or_kept_back(quantity: Decimal, safety_stock: int) -> None:
    assert wanted(quantity, safety_stock) <= max(quantity - safety_stock, Decimal(0))


@given(quantities, safety)
def test_less_than_one_piece_is_kept_from_sale(quantity: Decimal, safety_stock: int) -> None:
    assert quantity - safety_stock - wanted(quantity, safety_stock) < 1


def test_fractions_are_floored_and_debts_are_nothing() -> None:
    assert wanted(Decimal("2.99999"), 0) == 2
    assert wanted(Decimal("-0.5"), 0) == 0
    assert wanted(Decimal(5), 2) == 3
    assert wanted(Decimal(1), 2) == 0
