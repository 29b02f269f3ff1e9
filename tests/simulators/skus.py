"""SKUs: the key that a shop's SKU has in Business Central, and the shapes that real shops give them.

The key rule is written here a second time on purpose: product code has its own, tests compare the two.
"""

from __future__ import annotations

import random

NUMBER_UNITS = 20  # BC's Code[20] counts UTF-16 units


def key_of(sku: str) -> str:
    """The BC number that a SKU asks for; empty where it asks for none."""
    units = sku.strip().upper().encode("utf-16-le", "surrogatepass")
    # A cut may halve a surrogate pair (the half is dropped) or leave a space at the end (trimmed).
    return units[: 2 * NUMBER_UNITS].decode("utf-16-le", "ignore").strip()


def same_sku_form(sku: str) -> str:
    """Two SKUs with this form in common are one SKU: they differ in case or outer spaces only."""
    return sku.strip().upper()


# Numbers as most companies have them.
PLAIN = ("{i}", "ABC-{i:06d}", "SKU{i:07d}", "W-{i:06d}-BLK", "100-{i:06d}", "{i:06d}.XL")

# Numbers that break a filter, a URL, a CSV or a signature when somebody forgets to quote.
ODD = (
    "O'NEIL-{i:06d}",
    "'{i:06d}'",
    "NUT&BOLT-{i:06d}",
    "50%OFF-{i:06d}",
    "50%25-{i:06d}",
    "A+B-{i:06d}",
    "A B {i:06d}",
    "R#7/{i:06d}?",
    'IN"{i:06d}',
    "COMMA,{i:06d}",
    "EQ={i:06d};",
    "(P){i:06d}*",
    "BACK\\{i:06d}",
    "<B>{i:06d}",
    "ÄÖÜ-{i:06d}",
    "ÉCLAIR-{i:06d}",
    "ЖУК-{i:06d}",
    "日本-{i:06d}",
    "ΩMEGA-{i:06d}",
    "FOX🦊{i:06d}",
)

EXACTLY_20 = ("EXACTLY-20-{i:06d}-AB", "CABINET {i:06d} OAK-2", "L'ÉTÉ & CO+{i:06d}-XL")
EXACTLY_19 = ("BUNDLE {i:06d} GREEN", "SHELF-{i:06d}-WHITE9")  # a space as the 20th character is trimmed away
GROWS = ("MASSBAND-{i:06d}-LANG",)  # written with ß in the shop: upper-casing makes it one longer
HALVED_PAIR = ("FOX-🦊-{i:06d}-ABCDE",)  # 19 units: the shop's fox after it straddles the cut

SHAPES: dict[str, tuple[str, ...]] = {
    "plain": PLAIN,
    "odd": ODD,
    "exactly_20": EXACTLY_20,
    "exactly_19": EXACTLY_19,
    "grows": GROWS,
    "halved_pair": HALVED_PAIR,
}
SHAPE_WEIGHTS = {"plain": 85, "odd": 6, "exactly_20": 6, "exactly_19": 1.5, "grows": 1, "halved_pair": 0.5}


def number_of(shape: str, index: int, rng: random.Random) -> str:
    """A BC number of that shape, unique by `index` (up to 999,999)."""
    template = rng.choice(SHAPES[shape])
    return template.format(i=index + 100_000 if template == "{i}" else index)


def shop_sku(kind: str, number: str, rng: random.Random) -> str:
    """How a shop writes `number`: as it is, or in one of the ways that still mean the same item."""
    if kind == "lower":
        return number.lower()
    if kind == "spaced":
        return rng.choice((" {}", "{} ", "  {}  ", "\t{}", "{}\u00a0")).format(number)
    if kind == "long":  # of a 20-unit number: what follows is cut off
        return number + rng.choice(("-RED", "-BLUE-LARGE", " / 2026", "é", "🦊🦊"))
    if kind == "cut_leaves_space":  # of a 19-unit number
        return number.lower() + rng.choice((" xl", " - second half"))
    if kind == "grows":
        return number.lower().replace("ss", "ß") + rng.choice(("", "x", "-2"))
    if kind == "halved_pair":
        return number.lower() + "🦊"
    return number
