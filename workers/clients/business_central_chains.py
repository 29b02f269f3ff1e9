"""Asking BC for items by number: `number eq 'A' or number eq 'B' ...`, in as few calls as its URLs allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import quote

from workers.clients.business_central_rows import ITEM_FIELDS
from workers.sku import NUMBER_UNITS

PAGE_ROWS = 20_000  # rows that BC puts on a page at most (reference, "Paging")
MOST_CHARACTERS = (
    6_000  # of the query string as sent; BC refuses over 8,099 with 414, and proxies may earlier
)

# `or` on one field only: `in` needs a schema version and was seen to answer with the whole table.
_PREFIX = f"$select={ITEM_FIELDS}&$filter="
_OR = quote(" or ")


def encode(text: str) -> str:
    """A value of the query string. Spaces as %20 (BC need not take `+`); a quote may stand as it is."""
    return quote(text, safe="'")


def iter_chains(numbers: Iterable[str]) -> Iterator[list[str]]:
    """Each number exactly once and in order, in chains that one URL holds. Holds one chain at a time.

    Raises ValueError on what BC would refuse with 400: an empty number, or one over 20 UTF-16 units.
    """
    chain: list[str] = []
    length = len(_PREFIX)
    for number in numbers:
        size = len(_term(number))
        if chain and length + len(_OR) + size > MOST_CHARACTERS:
            yield chain
            chain, length = [], len(_PREFIX)
        length += size + (len(_OR) if chain else 0)
        chain.append(number)
    if chain:
        yield chain


def chain_query(numbers: Iterable[str]) -> str:
    """The query string, encoded, of one chain."""
    return _PREFIX + _OR.join(_term(number) for number in numbers)


def fewest_calls(rows: int, keys: Iterable[str]) -> tuple[Literal["scan", "chains"], int]:
    """Scan or or-chains, and how many calls it takes.

    rows: items in BC. keys: the numbers wanted; read only as far as chains can still win.
    """
    scan = max(1, -(-rows // PAGE_ROWS))
    chains = 0
    for _ in iter_chains(keys):
        chains += 1
        if chains > scan:
            return "scan", scan
    return "chains", chains  # at a tie too: a chain's page has some 150 rows, a scan's 20,000


def _term(number: str) -> str:
    if not number or len(number.encode("utf-16-le")) > 2 * NUMBER_UNITS:
        raise ValueError("a BC number has 1 to 20 characters")
    return encode("number eq '" + number.replace("'", "''") + "'")
