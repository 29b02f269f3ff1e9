"""The truth: what each row of a shop must show after a correct sync, or why it must be left alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .catalogue import INVENTORY
from .skus import key_of, same_sku_form

OUTSIDE = frozenset({"other_channel", "trashed"})  # not a row of this site at all


@dataclass(frozen=True, slots=True)
class ShopRow:
    """A row as it stands: `ids` name it; `reasons` are the shop's own why-nots (untracked, ...)."""

    ids: tuple[tuple[str, int], ...]
    sku: str
    shown: int | None
    reasons: tuple[str, ...]
    writes: int  # stock writes of ours that changed it


@dataclass(frozen=True, slots=True)
class Judgement:
    """`expected` is a quantity, or None for `untouched`; then `reasons` holds every reason that applies."""

    row: ShopRow
    key: str
    expected: int | None
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            **dict(self.row.ids),
            "sku": self.row.sku,
            "key": self.key,
            "expected": self.expected,
            "shown": self.row.shown,
            "reasons": list(self.reasons),
            "writes": self.row.writes,
        }


def wanted_quantity(inventory: Decimal, safety_stock: int = 0) -> int:
    return max(0, math.floor(inventory - safety_stock))


def judge(
    rows: Iterable[ShopRow], stock: Mapping[str, tuple[str, Decimal]], safety_stock: int = 0
) -> list[Judgement]:
    """Judges a site's rows against BC's stock: number -> (type, inventory)."""
    rows = list(rows)
    ambiguous = _ambiguous_keys(rows)
    judgements = []
    for row in rows:
        key = key_of(row.sku)
        reasons = list(row.reasons)
        if not key:
            reasons.append("empty")
        elif key not in stock:
            reasons.append("unknown")
        elif stock[key][0] != INVENTORY:
            reasons.append("not_inventory")
        if key in ambiguous and not OUTSIDE.intersection(row.reasons):
            reasons.append("ambiguous")
        expected = None if reasons else wanted_quantity(stock[key][1], safety_stock)
        judgements.append(Judgement(row, key, expected, tuple(reasons)))
    return judgements


def _ambiguous_keys(rows: list[ShopRow]) -> set[str]:
    """Keys that two different SKUs of the site share: nobody can say which of the two BC means."""
    forms: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if not OUTSIDE.intersection(row.reasons):
            forms[key_of(row.sku)].add(same_sku_form(row.sku))
    forms.pop("", None)
    return {key for key, different in forms.items() if len(different) > 1}


def compare(judgements: list[Judgement], pending: int, limit: int = 20) -> dict[str, Any]:
    """Counts what is right, wrong, or wrongly touched, with up to `limit` examples of each."""
    right, wrong, touched = 0, [], []
    untouched: dict[str, int] = defaultdict(int)
    for judgement in judgements:
        if judgement.expected is None:
            for reason in judgement.reasons:
                untouched[reason] += 1
            if judgement.row.writes:
                touched.append(judgement)
        elif judgement.row.shown == judgement.expected:
            right += 1
        else:
            wrong.append(judgement)
    return {
        "rows": len(judgements),
        "right": right,
        "wrong": len(wrong),
        "left_alone": sum(1 for j in judgements if j.expected is None),
        "touched": len(touched),
        "untouched_reasons": dict(untouched),
        "pending_writes": pending,
        "wrong_rows": [judgement.as_json() for judgement in wrong[:limit]],
        "touched_rows": [judgement.as_json() for judgement in touched[:limit]],
    }
