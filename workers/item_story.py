"""Why a SKU shows what it shows, in one sentence, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from workers import reasons

GUARD = "falls_to_zero"  # the reason of a row that the guard holds: workers/planning.py


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentence is made of. state: see workers/item_search.py. held: the guard waits for a person with it."""

    sku: str
    shop: str
    state: str
    bc_quantity: Decimal | None
    safety_stock: int | None
    wanted: int | None
    shown: int | None
    sent: int | None
    skip_reason: str | None
    failure: str | None
    unsure: bool
    held: bool


@dataclass(frozen=True, slots=True)
class Story:
    """kind: good, warn, bad, busy or quiet. sentence: why. advice: what to do; empty where nothing is."""

    kind: str
    sentence: str
    advice: str = ""


def tell(item: Facts) -> Story:
    """The answer to "why does this SKU show 3?"."""
    if item.state == "gone":
        return Story(
            "quiet",
            f"{item.shop} doesn't sell {item.sku} any more, so nothing is written there.",
            "Should it still be sold, look for it in the shop: it may have been deleted or have left the channel.",
        )
    if item.skip_reason is not None:
        reason = reasons.of(item.skip_reason)
        shows = "where nobody has read what it shows" if item.shown is None else f"which shows {item.shown:,}"
        sentence = (
            f"{item.sku or 'This product'} is left alone in {item.shop}, {shows}: {_lower(reason.words)}"
        )
        return Story("warn", sentence, reason.advice)
    return _judged(item)


def _judged(item: Facts) -> Story:
    if item.failure is not None:
        sentence = f"{item.shop} shows {_known(item.shown)} instead of {_known(item.wanted)}"
        return Story(
            "bad",
            f"{sentence}: it did not take what was sent ({item.failure}).",
            "Correct it there, then sync it.",
        )
    if item.unsure:
        return Story(
            "warn",
            f"{_known(item.sent)} was sent to {item.shop}, and no answer came: whether it arrived is read soon.",
            "Wait a minute; sync it should it stay so.",
        )
    if item.wanted is None:
        return Story(
            "quiet", "What it should show isn't known yet: Business Central was not read for it.", "Sync it."
        )
    should = f"it should show {item.wanted:,}, since {because(item)}"
    if item.shown is None:
        return Story("busy", f"What {item.shop} shows isn't known yet; {should}.", "Sync it.")
    if item.shown == item.wanted:
        return Story("good", f"{item.shop} shows {item.shown:,}, as it should: {because(item)}.")
    return _differing(item, f"{item.shop} shows {item.shown:,}, and {should}")


def _differing(item: Facts, start: str) -> Story:
    if item.held:
        return Story(
            "warn", f"{start}. The guard holds it back, since too many SKUs would fall to 0 at once.",
            "Look at the held run of this shop, and release it if that is right.",
        )  # fmt: skip
    if item.state == "drifting":
        return Story(
            "warn",
            f"{start}. It has sold, most likely, and Business Central doesn't know yet.",
            "The next full sync looks again. Sync it now if Business Central is right.",
        )
    return Story("busy", f"{start}. It is to be written.", "Sync it should it stay so for minutes.")


def because(item: Facts) -> str:
    """Where the wanted quantity comes from: Business Central has 5, less a safety stock of 2."""
    if item.bc_quantity is None:
        return "so it was decided"
    has = f"Business Central has {quantity(item.bc_quantity)}"
    safety = item.safety_stock or 0
    rest = item.bc_quantity - safety
    if safety:
        has += f", less a safety stock of {safety:,}"
    if rest < 0:
        return f"{has}, and a shop never shows less than 0"
    return f"{has}, rounded down" if rest != int(rest) else has


def quantity(value: Decimal) -> str:
    """5.00000 -> 5; 2.50000 -> 2.5."""
    return f"{value:,f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:,f}"


def _known(value: int | None) -> str:
    return "an unknown quantity" if value is None else f"{value:,}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
