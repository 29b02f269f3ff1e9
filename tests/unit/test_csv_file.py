"""Files for spreadsheets: no cell is carried out, and a long list is sent while it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from api.panel.csv_file import MARK, ROWS_AT_ONCE, cell, download


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "\uff1d1",
        '=HYPERLINK("http://x","y")',
    ],
)
def test_text_that_a_spreadsheet_would_carry_out_gets_an_apostrophe_in_front(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["SKU-1", "a=b", "", " A", -5, 0, None])
def test_everything_else_stays_as_it_is(value: object) -> None:
    assert cell(value) == value


def test_a_file_reads_back_as_it_was_with_times_in_utc() -> None:
    moment = datetime(2026, 3, 19, 2, 15, 23, tzinfo=UTC)
    answer = download("left-alone", ("sku", "shown", "at"), [['a "b", c\nd', None, moment], ["=1", 3, None]])

    text = answer.get_data(as_text=True)
    assert answer.headers["Content-Disposition"] == "attachment; filename=left-alone.csv"
    assert answer.mimetype == "text/csv"
    assert text.startswith(MARK), "or Excel takes the text for another alphabet"
    assert list(csv.reader(io.StringIO(text.removeprefix(MARK)))) == [
        ["sku", "shown", "at"],
        ['a "b", c\nd', "", "2026-03-19T02:15:23.000Z"],
        ["'=1", "3", ""],
    ]


def test_a_long_list_is_asked_for_no_more_than_is_read() -> None:
    given = 0

    def rows() -> Iterator[list[int]]:
        nonlocal given
        for number in range(10 * ROWS_AT_ONCE):
            given += 1
            yield [number]

    pieces = iter(download("long", ("n",), rows()).response)
    next(pieces)

    assert given == ROWS_AT_ONCE
