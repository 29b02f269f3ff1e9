"""Items: found across all shops; one item with all that its quantity came from, and Sync this item now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs, requested_by
from api.panel import asked, item_story, reasons, words
from api.panel.look import go, page
from api.rest import lists, routes
from models.database import session
from models.job import OPEN
from workers import item_search, item_sync, items, sites
from workers.errors import Conflict, InvalidFields
from workers.item_search import Found, ItemFilter
from workers.items import Write

CURSOR = "panel-items"
STATES = (
    ("", "any"),
    ("agreeing", "right"),
    ("drifting", "sold since"),
    ("failed", "failed"),
    ("skipped", "left alone"),
    ("unsettled", "under way"),
    ("unsure", "outcome unknown"),
    ("gone", "no longer sold"),
)
STATE_WORDS = dict(STATES[1:])


def blueprint() -> Blueprint:
    """`/items` and `/items/ID`."""
    pages = Blueprint("items", __name__)
    one = f"/items{routes.row_path('item_id', big=True)}"
    pages.get("/items")(show_all)
    pages.get(one)(show)
    pages.post(f"{one}/sync")(sync)
    return pages


@needs("read")
def show_all() -> Response:
    """What is searched for; filters live in the address."""
    wanted, errors = asked.filters(ItemFilter)
    with session():
        try:
            found = item_search.search(wanted, _after(), asked.PAGE)
        except InvalidFields as error:
            errors |= {entry.field: entry.message for entry in error.errors}
            found = Found([])
        return page(
            "items.html",
            422 if errors else 200,
            title="Items",
            found=found,
            held=items.held_among([item.id for item in found.items if item.state == "unsettled"]),
            next=_cursor(found),
            errors=errors,
            states=STATES,
            state_words=STATE_WORDS,
            reasons_known=[
                ("", "any"),
                *((code, words.plain(code)) for code, why in reasons.SKIPPED.items() if why.listed),
            ],
            sites=[("", "all"), *sites.names()],
            reasons=reasons,
        )


@needs("read")
def show(item_id: int) -> Response:
    """Why it shows what it shows, and what it showed before."""
    with session():
        item = items.get(item_id)
        last = items.last_asked(item_id)
        history = items.history(item)
        return page(
            "item.html",
            title=item.sku.strip() or item.name or f"Item {item_id}",
            item=item,
            story=item_story.tell(item),
            in_bc=items.in_bc(item),
            others=items.others(item),
            history=history,
            asked=last,
            waits=last is not None and last.status in OPEN,
            state_words=STATE_WORDS,
            reasons=reasons,
            **_chart(history),
        )


@needs("sync")
def sync(item_id: int) -> Response:
    """Read both ends now, and write what differs."""
    address = url_for("panel.items.show", item_id=item_id)
    try:
        job_id = item_sync.request_item_sync(
            item_id, requested_by=requested_by(), request_id=routes.request_id()
        )
    except Conflict as error:
        return go(address, words.sentence(error.message), "bad")
    audit.note(job=job_id)
    return go(address, "The shop and Business Central are read now; what differs is written.")


def _after() -> list[Any] | None:
    found = asked.cursor(CURSOR, [str, str, int, int])
    if found is not None:
        try:
            found[1] = bytes.fromhex(found[1]).decode()
        except ValueError:
            raise lists.bad_cursor() from None
    return found


def _cursor(found: Found) -> str | None:
    """A SKU may hold what no address does."""
    if found.next is None:
        return None
    way, text, site_id, row_id = found.next
    return lists.encode(CURSOR, [way, text.encode().hex(), site_id, row_id])


def _chart(history: list[Write]) -> dict[str, Any]:
    """What was written over time, the oldest first: held and needless ones were not."""
    written = [write for write in reversed(history) if write.outcome in ("pushed", "unsure", "sending")]
    return {
        "times": [int(write.at.timestamp()) for write in written],
        "sent": [write.wanted for write in written],
        "before": [write.shown_before for write in written],
    }
