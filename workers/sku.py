"""The key under which a shop's SKU and a Business Central number meet."""

from __future__ import annotations

NUMBER_UNITS = 20
"""BC's number is Code[20]: 20 UTF-16 code units, upper-case, trimmed (reference: Business Central API v2.0)."""


class InvalidSkuError(ValueError):
    """A SKU that no BC number can equal: it holds NUL or half a surrogate pair."""


def full_key(sku: str) -> str:
    """Trimmed and upper-cased, not cut: two SKUs with the same full key are the same SKU.

    Python's upper(), never SQL's: the database's depends on its locale. Raises InvalidSkuError.
    """
    if "\x00" in sku:
        raise InvalidSkuError("a SKU must not contain NUL")
    try:
        sku.encode("utf-16-le")
    except UnicodeEncodeError:
        raise InvalidSkuError("a SKU must not contain half a surrogate pair") from None
    return sku.strip().upper()


def cut(key: str) -> str:
    """At most 20 UTF-16 units of a full key, trimmed again: a cut can leave a space at the end.

    Counted after upper-casing, since some letters grow; a character that does not fit whole is dropped.
    """
    units = key.encode("utf-16-le")[: NUMBER_UNITS * 2]
    return units.decode("utf-16-le", errors="ignore").strip()


def make_key(sku: str) -> str:
    """The BC number that a SKU stands for; empty for an empty SKU. Raises InvalidSkuError."""
    return cut(full_key(sku))


def storable(text: str) -> str:
    """Text as PostgreSQL can keep it: NUL and half surrogate pairs are shown as U+FFFD."""
    if text.isascii():
        return text.replace("\x00", "\ufffd")
    whole = text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
    return whole.replace("\x00", "\ufffd")
