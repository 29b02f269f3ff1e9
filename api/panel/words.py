"""How figures, times and states read, in every template the same."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from models.access import ROLE_SCOPES
from models.fields import utc_text
from models.site import BIGCOMMERCE, WOOCOMMERCE
from workers.wording import numbered

UNKNOWN = "\N{EN DASH}"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))

STATE_KINDS = {
    # word of a state -> good, warn, bad, busy or quiet: the colours with a meaning
    **dict.fromkeys(
        ("completed", "done", "agreeing", "pushed", "active", "healthy", "ok", "set", "resolved"), "good"
    ),
    **dict.fromkeys(("held", "drifting", "unsettled", "unsure", "refused", "warning"), "warn"),
    **dict.fromkeys(("failed", "rejected", "open", "missing", "disabled", "stuck"), "bad"),
    **dict.fromkeys(("running", "processing", "received", "sending", "begun"), "busy"),
}


def number(value: float | None) -> str:
    """1,234,567; a dash for what isn't known."""
    return UNKNOWN if value is None else f"{value:,}"


def quantity(value: Decimal | None) -> str:
    """5.00000 -> 5, 1250.50000 -> 1,250.5; a dash for what isn't known."""
    if value is None:
        return UNKNOWN
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def skus(number: int) -> str:
    """1 SKU, 214 SKUs."""
    return numbered(number, "SKU", "SKUs")


def span(seconds: float | None) -> str:
    """How long: 45 s, 12 min, 3 h, 9 d; a dash for what isn't known."""
    if seconds is None:
        return UNKNOWN
    for size, unit in _UNITS:
        if seconds >= 2 * size or (seconds >= size and size == 60):
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def when(moment: datetime | None, never: str = "never") -> Markup:
    """A moment that the reader's browser puts into its own zone; without scripts, UTC."""
    if moment is None:
        return Markup('<span class="quiet">{}</span>').format(never)
    return Markup('<time datetime="{}">{}</time>').format(
        utc_text(moment), moment.strftime("%Y-%m-%d %H:%M UTC")
    )


def moment(text: str) -> Markup:
    """The same for a moment as JSON keeps it: 2026-03-19T02:15:23.000Z."""
    return when(datetime.fromisoformat(text))


def at_zone(moment: datetime, zone: str) -> str:
    """The wall clock of a zone at a moment: Mon 24 Nov, 02:00."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%a %-d %b, %H:%M")


def state(word: Any, text: str | None = None) -> Markup:
    """A state as a badge: a word in the colour of its meaning."""
    kind = STATE_KINDS.get(str(word), "quiet")
    return Markup('<span class="badge {}">{}</span>').format(kind, text or str(word).replace("_", " "))


def sentence(text: str | None, dot: str = ".") -> str:
    """an error of ours -> An error of ours."""
    words = (text or "").strip()
    return words[:1].upper() + words[1:] + ("" if not words or words.endswith((".", "!", "?")) else dot)


def visible(text: str) -> str:
    """A SKU as it is, with what nobody would see spelled out: a zero-width space is \\u200b."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


_PRODUCTS = {BIGCOMMERCE: "BigCommerce", WOOCOMMERCE: "WooCommerce"}


def plain(word: Any) -> str:
    """not_inventory -> not inventory; bigcommerce -> BigCommerce."""
    return _PRODUCTS.get(str(word), str(word).replace("_", " "))


def deed(action: str) -> str:
    """site_editor.create -> site editor: create; POST /api/v1/sites as it is."""
    place, _, act = action.partition(".")
    return f"{plain(place)}: {plain(act)}" if act and "/" not in action else action


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_MACHINES = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser(agent: str) -> str:
    """Chrome on Linux: what a person knows their browser by."""
    name = next((shown for part, shown in _BROWSERS if part in agent), "unknown browser")
    machine = next((shown for part, shown in _MACHINES if part in agent), None)
    return f"{name} on {machine}" if machine else name


ROLES = {scope: role for role, scope in ROLE_SCOPES.items()}


def role(scope: str) -> str:
    """The role whose people may do this: read -> viewer."""
    return ROLES[scope]


FILTERS = {
    "browser": browser,
    "deed": deed,
    "role": role,
    "number": number,
    "quantity": quantity,
    "skus": skus,
    "span": span,
    "when": when,
    "moment": moment,
    "at_zone": at_zone,
    "state": state,
    "plain": plain,
    "sentence": sentence,
    "visible": visible,
}
