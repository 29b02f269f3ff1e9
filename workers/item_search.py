"""Finding items across all shops: by SKU or BC number, by the words of a name, by how they stand.

What begins with the SKU that was typed comes first, then what has its words in the name. A page takes about as long
with a million items as with a thousand: see workers/walks.py, and the bound on names below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from models.database import execute, rows, transaction
from workers import walks
from workers.errors import FieldError, InvalidFields
from workers.figures import STATE_SQL
from workers.forms import LARGEST_ID, Form, Line
from workers.sku import InvalidSkuError, cut, full_key
from workers.walks import Walk

LONGEST_TEXT = 200
MOST_NAMES = 2_000  # whose names have the words; more are too many to go through, for us and for a person
MET_ROWS = 300  # that are looked through for common words: a millisecond or two
MOST_WORDS = 6
SHORTEST_BEGINNING = 2  # one letter begins half of all words: it is looked for as a word of its own

WORDS_SQL = """to_tsvector('simple'::regconfig, translate(
    i.name,
    U&'-/.,:;_+@&~#=?<>''"*!|()[]{}\\201C\\201D\\201E\\2018\\2019\\201A\\00AB\\00BB\\2013\\2014\\2026\\2022\\00B7\\00D7\\2122\\00AE\\00A9',
    repeat(' ', 60)))"""
"""As the index rm_items_names has it: signs would join words to numbers, addresses and paths, or to each other."""

WALK, WORDS, BEGINNINGS = "walk", "words", "beginnings"
"""How a page was found: along an index, by whole words of names, by their beginnings."""
_FIRST = ("", 0, 0)

State = Literal["agreeing", "drifting", "failed", "skipped", "unsettled", "unsure", "gone"]
STATES = ("agreeing", "drifting", "failed", "skipped", "unsettled", "unsure", "gone")
"""Those of workers/figures.py; unsure: the unsettled whose last write has no known outcome; gone: no longer sold."""


class ItemFilter(Form):
    """What of the items is asked for. reason: of those that are skipped."""

    q: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None
    site: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None
    state: State | None = None
    reason: Line | None = None


@dataclass(frozen=True, slots=True)
class FoundItem:
    """A row of a shop at a glance."""

    id: int
    site_id: int
    site_name: str
    sku: str
    name: str
    product_id: int
    variant_id: int
    state: str
    skip_reason: str | None
    failure: str | None
    bc_quantity: Decimal | None
    wanted: int | None
    shown: int | None
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """next: where the next page begins, `(how, text, site, id)`; None: that was all.

    looked: rows that were looked through for a page that is not full. too_many: more names than MOST_NAMES have
    these words; only the first page of them is given.
    """

    items: list[FoundItem]
    next: tuple[str, str, int, int] | None = None
    looked: int = 0
    too_many: bool = False


_COLUMNS = f"""i.id, i.site_id, (SELECT s.name FROM rm_sites s WHERE s.id = i.site_id), i.sku, i.name,
    i.product_id, i.variant_id,
    CASE WHEN i.active THEN {STATE_SQL} ELSE 'gone' END, i.skip_reason, i.failure, i.bc_quantity, i.wanted, i.shown,
    i.observed_at"""
_BY_SKU = ("sku_key", "site_id", "id")
_BY_SITE = ("site_id", "sku_key", "id")
_BY_REASON = ("site_id", "skip_reason", "id")
_NAMED = f"""
    WITH named AS MATERIALIZED (
        SELECT * FROM rm_items i WHERE i.active AND {WORDS_SQL} @@ to_tsquery('simple', %(words)s) AND OF_SITE
        LIMIT %(names)s + 1)
    SELECT (SELECT count(*) FROM named), i.sku_key, i.site_id, i.id, {_COLUMNS} FROM named i
    WHERE (i.sku_key, i.site_id, i.id) > (%(key)s, %(of)s, %(after)s) AND KEPT
    ORDER BY i.sku_key, i.site_id, i.id LIMIT %(most)s + 1
"""
# Where few rows are in a state, an index holds just these.
_RARE = {
    "failed": "i.active AND i.skip_reason IS NULL AND i.failure IS NOT NULL",
    "drifting": "i.active AND i.skip_reason IS NULL AND i.drift_since IS NOT NULL",
    "unsure": "i.active AND i.unsure",
}


def search(wanted: ItemFilter, after: Sequence[Any] | None, most: int) -> Found:
    """A page of what is asked for. after: `next` of the page before. Raises InvalidFields."""
    way = _Way(wanted)
    found: list[tuple[Any, ...]] = []
    if after is None or after[0] == WALK:
        walked = walks.page(way.walk, _COLUMNS, way.key(after), most)
        found = walked.rows
        if walked.next is not None or not way.words:
            return Found([FoundItem(*row) for row in found], way.cursor(walked.next), walked.looked)
        after = None
    room = most - len(found)
    # Beginnings of words are looked for where nothing else was found.
    for words in way.words[:1] if found else way.words:
        if after is None or after[0] == words:
            named = _named(way, words, after[1:] if after else _FIRST, max(room, 1))
            if named.items and not room:
                named = Found([], (words, *_FIRST))
            if named.items or named.next or after:
                return replace(named, items=[*(FoundItem(*row) for row in found), *named.items])
    return Found([FoundItem(*row) for row in found])


def _named(way: _Way, words: str, after: Sequence[Any], room: int) -> Found:
    """A page of those with these words in their name, by SKU.

    Common words are met on the way through all SKUs, rare ones are looked up: the other way round both would be slow.
    """
    bound = {**way.parameters, "words": _TEXTS[words](way.wanted.q or "")}
    keep = f"{WORDS_SQL} @@ to_tsquery('simple', %(words)s) AND NOT ({way.sku_sql}) AND {way.state_sql}"
    walk = Walk("rm_items", _BY_SKU, f"i.active{way.of_site}", keep, bound)
    met = walks.page(walk, _COLUMNS, after, room, MET_ROWS)
    if not met.looked:
        return Found([FoundItem(*row) for row in met.rows], (words, *met.next) if met.next else None)
    bound |= {"names": MOST_NAMES, "key": after[0], "of": after[1], "after": after[2], "most": room}
    of_site = "true" if way.wanted.site is None else "ARRAY[i.site_id] @> ARRAY[%(site)s::integer]"
    kept = f"NOT ({way.sku_sql}) AND {way.state_sql}"
    with transaction():
        # Some words seem to be found fast by reading the table from its start; they may all be at its end.
        execute("SET LOCAL enable_seqscan = off")
        found = rows(_NAMED.replace("OF_SITE", of_site).replace("KEPT", kept), bound)
    too_many = bool(found) and found[0][0] > MOST_NAMES
    following = (words, *found[room - 1][1:4]) if len(found) > room and not too_many else None
    return Found([FoundItem(*row[4:]) for row in found[:room]], following, 0, too_many)


class _Way:
    """How the rows that are asked for are reached."""

    def __init__(self, wanted: ItemFilter) -> None:
        self.wanted = wanted
        self.parameters: dict[str, Any] = {"site": wanted.site, "reason": wanted.reason}
        self.of_site = "" if wanted.site is None else " AND i.site_id = %(site)s"
        self.sku_sql = self._beginning(wanted.q) if wanted.q else "true"
        plain = wanted.state in (None, "agreeing", "unsettled")
        self.words = _ways_of(wanted.q) if plain and wanted.q else ()
        self.state_sql = f"({STATE_SQL}) = '{wanted.state}'" if plain and wanted.state else "true"
        self.walk = self._walk()

    def _walk(self) -> Walk:
        state, of_site = self.wanted.state, self.of_site
        if state in _RARE:
            keep = "true" if state == "unsure" else f"({STATE_SQL}) = '{state}'"
            return self._of(_BY_SITE, _RARE[state] + of_site, f"{keep} AND {self._text_sql()}")
        if state == "skipped":
            reason = (
                "i.skip_reason IS NOT NULL" if self.wanted.reason is None else "i.skip_reason = %(reason)s"
            )
            return self._of(_BY_REASON, f"i.active AND {reason}{of_site}", self._text_sql())
        active = "NOT i.active" if state == "gone" else "i.active"
        return self._of(_BY_SKU, f"{active}{of_site} AND {self.sku_sql}", self.state_sql)

    def _of(self, key: Sequence[str], where: str, keep: str) -> Walk:
        if keep in ("true AND true", "true"):
            keep = "true"
        return Walk("rm_items", key, where, keep, self.parameters)

    def _text_sql(self) -> str:
        """What was typed, as a condition on rows that are few anyway."""
        if not self.wanted.q:
            return "true"
        self.parameters["words"] = beginnings_of(self.wanted.q)
        named = f"{WORDS_SQL} @@ to_tsquery('simple', %(words)s)" if self.parameters["words"] else "false"
        return f"({self.sku_sql} OR {named})"

    def _beginning(self, text: str) -> str:
        """A SKU's or a BC number's beginning, as a range of the index on the key."""
        try:
            whole = full_key(text)
        except InvalidSkuError:
            wrong = FieldError("q", "can't be searched for: it holds a character that no SKU and no name has")
            raise InvalidFields([wrong]) from None
        key = cut(whole)
        self.parameters |= {"from": key, "to": _following(key), "whole": whole}
        if key != whole:  # the rest of a SKU that is longer than a BC number
            return "(i.sku_key = %(from)s AND starts_with(i.sku_full_key, %(whole)s))"
        if not key:
            return "true"
        return "(i.sku_key >= %(from)s AND i.sku_key < %(to)s)"

    def key(self, after: Sequence[Any] | None) -> tuple[Any, ...] | None:
        """A cursor as the key of the walk."""
        if after is None:
            return None
        _, text, site, row_id = after
        return (text, site, row_id) if self.walk.key is _BY_SKU else (site, text, row_id)

    def cursor(self, key: Sequence[Any] | None) -> tuple[str, str, int, int] | None:
        """A key of the walk as a cursor."""
        if key is None:
            return None
        text, site = (key[0], key[1]) if self.walk.key is _BY_SKU else (key[1], key[0])
        return (WALK, text, site, key[2])


def words_of(text: str) -> str:
    """What was typed, as a text search for names: all words whole, but for the last, which goes by its beginning."""
    *whole, last = _split(text) or [""]
    return " & ".join([*(f"'{word}'" for word in whole), *([_beginning(last)] if last else [])])


def beginnings_of(text: str) -> str:
    """The same, each word by its beginning."""
    return " & ".join(_beginning(word) for word in _split(text))


_TEXTS = {WORDS: words_of, BEGINNINGS: beginnings_of}


def _ways_of(text: str) -> tuple[str, ...]:
    """How names are searched: by whole words, and where none has them by their beginnings; where words were typed."""
    number = len(_split(text))
    return () if not number else (WORDS,) if number == 1 else (WORDS, BEGINNINGS)


def _split(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"[^\W_]+", text)))[:MOST_WORDS]


def _beginning(word: str) -> str:
    return f"'{word}'" + (":*" if len(word) >= SHORTEST_BEGINNING else "")


def _following(key: str) -> str:
    """The least text, by code points, that no text with this beginning reaches."""
    for end in range(len(key) - 1, -1, -1):
        point = ord(key[end]) + 1
        if point <= 0x10FFFF:
            return key[:end] + chr(0xE000 if 0xD800 <= point <= 0xDFFF else point)
    return chr(0x10FFFF)
