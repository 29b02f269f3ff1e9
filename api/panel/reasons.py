"""Why a SKU is left alone or was not written, in words: what it means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """means: what is the case. fix: what a person can do; empty where nothing is to be done.

    listed: whether such SKUs are kept, to be looked at one by one.
    """

    means: str
    fix: str = ""
    listed: bool = True


SKIPPED = {
    "unknown": Reason(
        "Business Central has no item of this number.",
        "Correct the SKU in the shop, or add the item to Business Central.",
    ),
    "empty": Reason("The product has no SKU.", "Give it one in the shop, if its stock should be kept."),
    "invalid": Reason("The SKU holds a character that no item number has.", "Correct the SKU in the shop."),
    "ambiguous": Reason(
        "Several different SKUs stand for one item number (the first 20 characters count), or several items for"
        " one SKU.",
        "Give each its own SKU.",
    ),
    "inherits_sku": Reason(
        "The variation shows the SKU of its product.", "Give the variation a SKU of its own, if it has stock."
    ),
    "untracked": Reason(
        "The shop does not keep stock for it.", "Switch on stock keeping of the product in the shop."
    ),
    "tracked_by_product": Reason(
        "The shop keeps stock for the product as a whole, not for its variants.",
        "Switch stock keeping to variants in the shop, if each has stock of its own.",
    ),
    "contested": Reason(
        "Another active site of this store has the product, too.",
        "Give the sites channels that don't overlap.",
    ),
    "not_inventory": Reason(
        "The item is a service or no stock item in Business Central.", "Nothing, unless its type is wrong."
    ),
    "stock_not_read": Reason(
        "Business Central could not be read completely; what the shop shows stays.", "Sync again."
    ),
    "other_channel": Reason("The product is in none of this site's channels.", listed=False),
}
FAILED = {
    "refused": Reason("The shop refused the quantity.", "Its own words stand beside each SKU."),
    "not_found": Reason("The shop does not know the product any more."),
    "quantity_out_of_range": Reason(
        "The shop takes no quantity so large.", "Correct it in Business Central."
    ),
    "push_failed": Reason("The write failed after every retry.", "Sync again once the shop is well."),
    "cancelled": Reason("The sync was cancelled before it was written.", "Sync again."),
    "no_longer_wanted": Reason("The product left, or its SKU changed, before it was written."),
    "falls_to_zero": Reason("The guard holds it: too many would fall to zero at once."),
}
REASONS = {**FAILED, **SKIPPED}


def left_alone(skipped: Mapping[str, int]) -> int:
    """How many SKUs of a site a run left alone: those of other channels are no SKUs of this site."""
    return sum(number for code, number in skipped.items() if of(code).listed)


def of(code: str | None) -> Reason:
    """A reason in words; a vendor's own code has none."""
    return REASONS.get(code or "", Reason(""))
