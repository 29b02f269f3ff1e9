"""The rule for what a shop should show is the same in Python and in SQL, for any quantity."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.database import rows
from workers.quantity import WANTED_SQL, wanted

QUANTITIES = st.decimals(
    min_value=Decimal(-(10**14)), max_value=Decimal(10**14), places=5, allow_nan=False, allow_infinity=False
)
NEAR_ZERO = st.decimals(min_value=Decimal(-3), max_value=Decimal(3), places=5)
SAFETY = st.one_of(st.integers(0, 3), st.integers(0, 2**40))
CASES = st.lists(st.tuples(st.one_of(NEAR_ZERO, QUANTITIES), SAFETY), min_size=1, max_size=300)

_SQL = WANTED_SQL.format(quantity="quantity", safety_stock="safety")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=CASES)
def test_sql_and_python_want_the_same(database: str, cases: list[tuple[Decimal, int]]) -> None:
    quantities, safeties = [list(column) for column in zip(*cases, strict=True)]

    found = rows(
        f"SELECT {_SQL} FROM unnest(%s::numeric(20, 5)[], %s::bigint[]) WITH ORDINALITY"
        " AS given (quantity, safety, place) ORDER BY place",
        (quantities, safeties),
    )

    assert [quantity for (quantity,) in found] == [wanted(*case) for case in cases]


@pytest.mark.parametrize(
    ("quantity", "safety", "shown"),
    [
        ("7", 0, 7),
        ("7.99999", 0, 7),
        ("7.99999", 2, 5),
        ("0.5", 0, 0),
        ("-0.5", 0, 0),
        ("-3", 0, 0),
        ("2", 5, 0),
    ],
)
def test_a_fraction_cannot_be_sold_and_a_debt_neither(
    database: str, quantity: str, safety: int, shown: int
) -> None:
    expression = WANTED_SQL.format(quantity="%s::numeric", safety_stock="%s")

    assert rows(f"SELECT {expression}", (quantity, safety)) == [(shown,)]
    assert wanted(Decimal(quantity), safety) == shown
