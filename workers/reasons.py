"""Why SKUs are left alone, in a person's words, and what they can do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """words: what is the case, as a sentence. advice: what to do, as a sentence."""

    words: str
    advice: str


REASONS = {
    "empty": Reason(
        "It has no SKU in the shop.",
        "Give it one in the shop: the number of its item in Business Central.",
    ),
    "invalid": Reason(
        "Its SKU holds characters that no item number can have.",
        "Type the SKU anew in the shop.",
    ),
    "inherits_sku": Reason(
        "The variant has no SKU of its own: it shows that of its product.",
        "Give the variant a SKU of its own in the shop, if it is an item of its own in Business Central.",
    ),
    "tracked_by_product": Reason(
        "The shop keeps one stock for the whole product, not one for each variant.",
        "Track the stock by variant in the shop, if each variant is an item of its own in Business Central.",
    ),
    "untracked": Reason(
        "The shop doesn't track its stock.",
        "Switch stock tracking on for it in the shop, if Business Central is to decide what it shows.",
    ),
    "contested": Reason(
        "Another site of the same store has this product as well, so both would write to it.",
        "Take the product off the channel of one of the two sites.",
    ),
    "ambiguous": Reason(
        "Several SKUs, or several item numbers, are the same in their first 20 characters.",
        "Make them differ within 20 characters: an item number of Business Central is no longer than that.",
    ),
    "unknown": Reason(
        "Business Central has no item of this number.",
        "Correct the SKU in the shop, or the item's number in Business Central.",
    ),
    "not_inventory": Reason(
        "In Business Central it is no item of type Inventory: a service has no stock.",
        "Change the item's type in Business Central, if it lies on a shelf.",
    ),
    "stock_not_read": Reason(
        "Business Central could not be read for it.",
        "Sync again once Business Central answers.",
    ),
}
"""In the order in which a person would fix them: first the SKU, then the shop, then Business Central."""


def of(reason: str) -> Reason:
    """What is told of a reason; one that is not known here is told by its own word."""
    return REASONS.get(reason) or Reason(f"It is left alone: {reason.replace('_', ' ')}.", "")
