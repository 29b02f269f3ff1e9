"""Lists as files for spreadsheets: sent while they are read, and with no cell that a spreadsheet would carry out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from werkzeug.wrappers import Response

from models.fields import utc_text

MARK = "\N{BYTE ORDER MARK}"  # without it Excel takes UTF-8 for the machine's own code page
ROWS_AT_ONCE = 1000  # of a list, read for one piece of the file
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
            "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip


def download(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A file of that name. rows: may come from a generator, which is not asked further than is read."""
    response = Response(_lines(head, rows), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    return response


def cell(value: object) -> object:
    """A value as it may stand in a spreadsheet: text that would be a formula gets an apostrophe in front."""
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(MARK)
    writer.writerow(head)
    for number, values in enumerate(rows, 1):
        writer.writerow([cell(value) for value in values])
        if number % ROWS_AT_ONCE == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
