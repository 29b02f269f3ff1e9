"""Or-chains: every number asked for once, in URLs that BC takes."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulators.business_central.odata import parse_query
from tests.simulators.business_central.store import ITEM_FIELDS
from workers.clients.business_central_chains import (
    MOST_CHARACTERS,
    PAGE_ROWS,
    chain_query,
    fewest_calls,
    iter_chains,
)

characters = st.characters(exclude_categories=["Cs", "Cc"])
numbers = st.lists(
    st.text(characters, min_size=1).filter(lambda n: n == n.strip() and 0 < len(n.encode("utf-16-le")) <= 40),
    max_size=400,
)


@given(numbers)
def test_every_number_stands_in_exactly_one_chain_and_in_order(wanted: list[str]) -> None:
    assert [number for chain in iter_chains(wanted) for number in chain] == wanted


@given(numbers)
def test_every_query_string_is_short_enough_as_it_is_sent(wanted: list[str]) -> None:
    for chain in iter_chains(wanted):
        query = chain_query(chain)
        assert query.isascii()
        assert len(query) <= MOST_CHARACTERS


@given(numbers)
def test_no_chain_could_have_taken_the_next_number(wanted: list[str]) -> None:
    chains = list(iter_chains(wanted))
    for chain, following in pairwise(chains):
        assert len(chain_query([*chain, following[0]])) > MOST_CHARACTERS


@given(numbers)
def test_business_central_reads_the_numbers_as_they_were_meant(wanted: list[str]) -> None:
    for chain in iter_chains(wanted):
        (clause,) = parse_query(chain_query(chain), ITEM_FIELDS, "id").clauses
        assert clause.field == "number"
        assert clause.alternatives == [("eq", number) for number in chain]


@given(numbers.filter(len))
def test_the_filter_reads_the_same_to_a_plain_url_decoder(wanted: list[str]) -> None:
    (chain, *_) = iter_chains(wanted)
    text = unquote(chain_query(chain).partition("$filter=")[2])
    expected = " or ".join("number eq '" + number.replace("'", "''") + "'" for number in chain)
    assert text == expected


@pytest.mark.parametrize("number", ["", "123456789012345678901", "😀" * 11])
def test_what_is_no_number_of_business_central_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        list(iter_chains(["A", number]))


def test_a_chain_holds_over_150_numbers_of_common_length() -> None:
    (first, *_) = iter_chains([f"ITEM-{n:05}" for n in range(1000)])
    assert len(first) > 150


def test_a_few_items_of_many_are_asked_for_by_number() -> None:
    assert fewest_calls(3 * PAGE_ROWS, [f"A{n}" for n in range(300)]) == ("chains", 2)


def test_most_items_are_read_by_a_scan() -> None:
    assert fewest_calls(PAGE_ROWS + 1, (f"A{n:05}" for n in range(PAGE_ROWS))) == ("scan", 2)


def test_at_a_tie_the_smaller_pages_win() -> None:
    assert fewest_calls(PAGE_ROWS, ["A"]) == ("chains", 1)
    assert fewest_calls(0, ["A"]) == ("chains", 1)


def test_nothing_asked_for_costs_nothing() -> None:
    assert fewest_calls(100, []) == ("chains", 0)


def test_the_keys_are_read_only_as_far_as_chains_can_win() -> None:
    keys = iter([f"ITEM-{n:05}" for n in range(100_000)])
    fewest_calls(100, keys)
    assert next(keys) < "ITEM-01000"
