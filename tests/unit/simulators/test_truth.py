"""The truth, on rows small enough to judge by eye."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulators.skus import key_of
from tests.simulators.truth import ShopRow, compare, judge, wanted_quantity

STOCK = {
    "A": ("Inventory", Decimal("12.99999")),
    "NEGATIVE": ("Inventory", Decimal("-0.5")),
    "WORK": ("Service", Decimal(0)),
    "12345678901234567890": ("Inventory", Decimal(3)),
}


def row(sku: str, *reasons: str, shown: int = 0, writes: int = 0) -> ShopRow:
    return ShopRow((("product_id", 1),), sku, shown, reasons, writes)


def reasons_of(*rows: ShopRow) -> list[tuple[str, ...]]:
    return [judgement.reasons for judgement in judge(rows, STOCK)]


@pytest.mark.parametrize(
    ("sku", "key"),
    [
        (" abc ", "ABC"),
        ("straße", "STRASSE"),
        ("1234567890123456789 x", "1234567890123456789"),
        ("12345678901234567890-RED", "12345678901234567890"),
        ("123456789012345678🦊", "123456789012345678🦊"),
        ("1234567890123456789🦊", "1234567890123456789"),
        ("\u00a0", ""),
    ],
)
def test_the_key_is_trimmed_upper_cased_cut_and_trimmed_again(sku: str, key: str) -> None:
    assert key_of(sku) == key


def test_the_quantity_is_floored_and_never_below_zero() -> None:
    assert wanted_quantity(Decimal("12.99999")) == 12
    assert wanted_quantity(Decimal("-0.5")) == 0
    assert wanted_quantity(Decimal("12.5"), safety_stock=3) == 9
    assert wanted_quantity(Decimal("2.5"), safety_stock=3) == 0


def test_a_known_tracked_sku_is_expected_to_show_bc_stock() -> None:
    assert [j.expected for j in judge([row("a"), row("negative")], STOCK)] == [12, 0]


def test_what_cannot_be_pushed_is_untouched_with_its_reason() -> None:
    rows = [row(""), row("Z"), row("work"), row("a", "untracked"), row("a", "other_channel")]
    expected = [("empty",), ("unknown",), ("not_inventory",), ("untracked",), ("other_channel",)]
    assert reasons_of(*rows) == expected


def test_two_skus_that_meet_only_after_the_cut_are_ambiguous() -> None:
    assert (
        reasons_of(row("12345678901234567890-RED"), row("12345678901234567890-BLUE")) == [("ambiguous",)] * 2
    )
    assert reasons_of(row("12345678901234567890"), row("12345678901234567890x")) == [("ambiguous",)] * 2


def test_one_sku_on_two_products_is_not_ambiguous() -> None:
    assert reasons_of(row("a"), row(" A ")) == [(), ()]


def test_a_row_outside_the_site_makes_nothing_ambiguous() -> None:
    outside = row("12345678901234567890-BLUE", "other_channel")
    assert reasons_of(row("12345678901234567890-RED"), outside) == [(), ("other_channel",)]


def test_the_comparison_counts_right_wrong_and_wrongly_touched() -> None:
    rows = [row("a", shown=12), row("negative", shown=5), row("z", writes=1), row("")]
    counted = compare(judge(rows, STOCK), pending=4)
    assert (counted["right"], counted["wrong"], counted["touched"], counted["left_alone"]) == (1, 1, 1, 2)
    assert counted["pending_writes"] == 4
    assert counted["wrong_rows"][0]["sku"] == "negative"
    assert counted["touched_rows"][0]["sku"] == "z"
