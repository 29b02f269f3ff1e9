"""A row of Business Central that is not as documented is refused, never read as 0."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from workers.clients.answers import Answer
from workers.clients.business_central_rows import companies, entries_page, items_page, unescape
from workers.errors import BadAnswer

GOOD = {"number": "A", "displayName": "Bike", "type": "Inventory", "blocked": False, "inventory": 5}


def answer(body: object) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(200, {}, raw, "https://bc.example", "Business Central GET items")


def page_of(*rows: object, **extra: object) -> Answer:
    return answer({"value": list(rows), **extra})


def test_a_good_row_is_read() -> None:
    page = items_page(page_of(GOOD, **{"@odata.count": 1, "@odata.nextLink": "https://bc.example/2"}))
    (item,) = page.items
    assert (item.number, item.quantity, item.type, item.blocked, item.name) == (
        "A",
        Decimal(5),
        "Inventory",
        False,
        "Bike",
    )
    assert (page.total, page.next_link) == (1, "https://bc.example/2")


def test_fractions_and_negative_stock_are_exact() -> None:
    body = (
        b'{"value": [{"number":"A","displayName":"","type":"Inventory","blocked":true,"inventory":-0.00001}]}'
    )
    assert items_page(answer(body)).items[0].quantity == Decimal("-0.00001")


def test_the_names_of_types_are_unescaped() -> None:
    row = GOOD | {"type": "Non_x002D_Inventory"}
    assert items_page(page_of(row)).items[0].type == "Non-Inventory"
    assert unescape("Positive_x0020_Adjmt_x002E_") == "Positive Adjmt."


@pytest.mark.parametrize(
    "change",
    [
        {"inventory": None},
        {"inventory": "5"},
        {"inventory": True},
        {"inventory": []},
        {"inventory": 10**16},
        {"inventory": -(10**16)},
        {"number": None},
        {"number": ""},
        {"number": 7},
        {"number": "A\x00"},
        {"blocked": None},
        {"blocked": "no"},
        {"type": None},
    ],
)
def test_a_broken_row_is_a_bad_answer(change: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer) as caught:
        items_page(page_of(GOOD | {"number": "B"}, GOOD | change))
    assert not caught.value.permanent


@pytest.mark.parametrize("field", ["number", "inventory", "blocked", "type"])
def test_a_missing_field_is_a_bad_answer(field: str) -> None:
    with pytest.raises(BadAnswer):
        items_page(page_of({name: value for name, value in GOOD.items() if name != field}))


@pytest.mark.parametrize("number", [b"1e999999", b"1e-999999", b"1E+400"])
def test_a_number_that_would_cost_gigabytes_is_a_bad_answer(number: bytes) -> None:
    body = b'{"value": [{"number":"A","displayName":"","type":"Inventory","blocked":true,"inventory":%s}]}'
    with pytest.raises(BadAnswer):
        items_page(answer(body % number))


@pytest.mark.parametrize("body", [[], {}, {"value": {}}, {"value": [5]}, {"value": [None]}, "text", None])
def test_another_shape_is_a_bad_answer(body: object) -> None:
    for read in (items_page, entries_page, companies):
        with pytest.raises(BadAnswer):
            read(answer(body))


def test_the_same_number_twice_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer) as caught:
        items_page(page_of(GOOD, GOOD))
    assert caught.value.code == "duplicate_key"


def test_a_next_link_that_is_no_url_is_a_bad_answer() -> None:
    for link in ("", 5, ["https://bc.example"]):
        with pytest.raises(BadAnswer):
            items_page(page_of(**{"@odata.nextLink": link}))


def test_a_ledger_entry_names_its_item() -> None:
    (entry,) = entries_page(page_of({"entryNumber": 9, "itemNumber": "A"})).entries
    assert (entry.entry_number, entry.item_number) == (9, "A")


@pytest.mark.parametrize(
    "row", [{"itemNumber": "A"}, {"entryNumber": "9", "itemNumber": "A"}, {"entryNumber": 9}]
)
def test_a_broken_ledger_entry_is_a_bad_answer(row: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        entries_page(page_of(row))
