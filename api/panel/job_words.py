"""What each kind of job does, in a person's words."""

from __future__ import annotations

from workers import leaving
from workers.alerts.conditions import SEND
from workers.item_sync import KIND as ITEM_SYNC
from workers.webhooks import rounds
from workers.webhooks.intake import KIND as PRODUCT_EVENT

KIND_WORDS = {
    "sync.start": "Begin a sync",
    "sync.list": "Read a page of the shop",
    "sync.confirm": "Read missing products again",
    "stock.refresh": "Begin to read Business Central",
    "stock.scan": "Read all of Business Central's stock",
    "stock.chain": "Read some numbers from Business Central",
    "sync.compare": "Compare both ends",
    "sync.release": "Let go what the guard held",
    "stock.push": "Write stock to the shop",
    "stock.settle": "Read what was written again",
    "sync.finish": "Finish a sync",
    PRODUCT_EVENT: "Follow a product's webhook",
    ITEM_SYNC: "Sync one item",
    rounds.KIND: "Look after the webhooks of a shop",
    "maintenance.cleanup": "Clean up what is old",
    leaving.KIND: "Delete what belonged to a site",
    SEND: "Send an alert",
}


def of(kind: str) -> str:
    """A kind in words; one that is not known here by its own name."""
    return KIND_WORDS.get(kind, kind)
