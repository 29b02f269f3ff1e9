"""Why a SKU shows what it shows, in one sentence, and what to do about it."""

from __future__ import annotations

from api.panel import reasons, words
from workers.items import ItemView
from workers.standing import Verdict


def tell(item: ItemView) -> Verdict:
    """The answer to "why does this SKU show 3?"."""
    if item.state == "gone":
        return Verdict(
            "quiet",
            f"{item.shop} doesn't sell {item.sku} any more, so nothing is written there.",
            "Should it still be sold, look for it in the shop: it may have been deleted or have left the channel.",
        )
    if item.skip_reason is not None:
        reason = reasons.of(item.skip_reason)
        means = reason.means or f"{item.skip_reason.replace('_', ' ')}."
        shows = "where nobody has read what it shows" if item.shown is None else f"which shows {item.shown:,}"
        sentence = f"{item.sku.strip() or 'This product'} is left alone in {item.shop}, {shows}. {means}"
        return Verdict("warn", sentence, reason.fix)
    return _judged(item)


def _judged(item: ItemView) -> Verdict:
    if item.failure is not None:
        reason = reasons.of(item.failure)
        why = reason.means or words.sentence(item.failure)
        return Verdict(
            "bad",
            f"{item.shop} shows {_known(item.shown)} instead of {_known(item.wanted)}. {why}",
            reason.fix or "Correct it there, then sync it.",
        )
    if item.unsure:
        return Verdict(
            "warn",
            f"{_known(item.sent)} was sent to {item.shop}, and no answer came: whether it arrived is read soon.",
            "Wait a minute, and sync it should it stay so.",
        )
    if item.wanted is None:
        return Verdict(
            "quiet", "What it should show isn't known yet: Business Central was not read for it.", "Sync it."
        )
    should = f"it should show {item.wanted:,}, since {because(item)}"
    if item.shown is None:
        return Verdict("busy", f"What {item.shop} shows isn't known yet; {should}.", "Sync it.")
    if item.shown == item.wanted:
        return Verdict("good", f"{item.shop} shows {item.shown:,}, as it should: {because(item)}.")
    return _differing(item, f"{item.shop} shows {item.shown:,}, and {should}")


def _differing(item: ItemView, start: str) -> Verdict:
    if item.held_run is not None:
        return Verdict(
            "warn", f"{start}. The guard holds it back, since too many SKUs would fall to 0 at once.",
            "Look at the held run of this shop, and release it if that is right.",
        )  # fmt: skip
    if item.state == "drifting":
        return Verdict(
            "warn",
            f"{start}. It has sold, most likely, and Business Central doesn't know yet.",
            "The next full sync looks again. Sync it now if Business Central is right.",
        )
    return Verdict("busy", f"{start}. It is to be written.", "Sync it should it stay so for minutes.")


def because(item: ItemView) -> str:
    """Where the wanted quantity comes from: Business Central has 5, less a safety stock of 2."""
    if item.bc_quantity is None:
        return "so it was decided"
    has = f"Business Central has {words.quantity(item.bc_quantity)}"
    safety = item.safety_stock or 0
    rest = item.bc_quantity - safety
    if safety:
        has += f", less a safety stock of {safety:,}"
    if rest < 0:
        return f"{has}, and a shop never shows less than 0"
    return f"{has}, rounded down" if rest != int(rest) else has


def _known(value: int | None) -> str:
    return "an unknown quantity" if value is None else f"{value:,}"
