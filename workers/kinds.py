"""Every kind of job and what does it: the one table in which a new kind is entered."""

from __future__ import annotations

from workers import leaving
from workers.alerts import send
from workers.alerts.conditions import SEND
from workers.full_sync import push, refresh
from workers.full_sync.compare import compare
from workers.full_sync.confirm import confirm
from workers.full_sync.finish import finish
from workers.full_sync.listing import list_page
from workers.full_sync.release import release
from workers.full_sync.settle import settle
from workers.full_sync.start import start
from workers.item_sync import KIND as ITEM_SYNC
from workers.item_sync import sync_item
from workers.jobs import Kind
from workers.maintenance import clean_up
from workers.webhooks import products, rounds
from workers.webhooks.intake import KIND as PRODUCT_EVENT

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("sync.start", start),
        Kind("sync.list", list_page),
        Kind("sync.confirm", confirm),
        Kind("stock.refresh", refresh.begin),
        Kind("stock.scan", refresh.scan),
        Kind("stock.chain", refresh.chain),
        Kind("sync.compare", compare),
        Kind("sync.release", release),
        Kind("stock.push", push.push),
        Kind("stock.settle", settle),
        Kind("sync.finish", finish),
        Kind(PRODUCT_EVENT, products.follow),
        Kind(ITEM_SYNC, sync_item),
        Kind(rounds.KIND, rounds.check),
        Kind("maintenance.cleanup", clean_up),
        Kind(leaving.KIND, leaving.delete_rows),
        Kind(SEND, send.send, deadline_seconds=send.DEADLINE_SECONDS),
    )
}
