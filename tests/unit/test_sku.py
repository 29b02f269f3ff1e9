"""SKUs and BC numbers meet under one key."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.sku import NUMBER_UNITS, InvalidSkuError, cut, full_key, make_key, storable

skus = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@given(skus)
@example("ß" * 20)
@example("ŉ" * 20)
@example("😀" * 15)
def test_a_key_never_exceeds_a_bc_number(sku: str) -> None:
    assert units(make_key(sku)) <= NUMBER_UNITS


@given(skus)
@example("1234567890123456789 tail")
def test_a_key_has_no_outer_spaces(sku: str) -> None:
    assert make_key(sku) == make_key(sku).strip()


@given(skus)
def test_spaces_around_a_sku_and_its_case_make_no_difference(sku: str) -> None:
    assert make_key(f"  {sku}\t") == make_key(sku) == make_key(sku.upper())


@given(skus)
def test_making_a_key_of_a_key_changes_nothing(sku: str) -> None:
    assert make_key(make_key(sku)) == make_key(sku)


@given(skus)
def test_a_key_is_the_beginning_of_the_full_key(sku: str) -> None:
    assert full_key(sku).startswith(make_key(sku))


@given(st.text(alphabet="ABC-123", min_size=1, max_size=20))
def test_a_plain_bc_number_is_its_own_key(number: str) -> None:
    assert make_key(number) == number


def test_a_cut_that_leaves_a_space_is_trimmed_again() -> None:
    assert make_key("ABCDEFGHIJKLMNOPQRS TUV") == "ABCDEFGHIJKLMNOPQRS"


def test_a_character_outside_the_basic_plane_is_never_cut_in_half() -> None:
    assert make_key("A" * 19 + "😀") == "A" * 19


def test_letters_that_grow_are_counted_after_growing() -> None:
    assert make_key("ß" * 20) == "S" * 20


@pytest.mark.parametrize("sku", ["A\x00B", "A\ud800B"])
def test_what_no_bc_number_can_hold_is_refused(sku: str) -> None:
    with pytest.raises(InvalidSkuError):
        make_key(sku)


@given(st.text(alphabet=st.characters(), max_size=30))
@example("A\ud83d\ude00")
def test_any_text_can_be_stored_after_repair(text: str) -> None:
    assert "\x00" not in storable(text)
    storable(text).encode()


@given(skus)
def test_cutting_twice_is_cutting_once(sku: str) -> None:
    assert cut(cut(full_key(sku))) == cut(full_key(sku))
