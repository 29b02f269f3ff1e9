"""Shops, items, jobs and deliveries that a page shows; nobody calls a vendor for them."""

from __future__ import annotations

from typing import Any

from models.database import execute, row, session
from models.item import Item
from tests.integration.ledger.helpers import company, site
from workers.sku import full_key, make_key

__all__ = ["company", "delivery", "item", "job", "push", "site", "stocked"]


def item(site_id: int, sku: str, product_id: int = 0, **columns: Any) -> int:
    """A row of a shop; gives its id."""
    fields = {
        "tracking": "product",
        "observed_at": "2026-03-19 02:15:23+00",
        "product_id": product_id or 1 + len(sku) + abs(hash((site_id, sku))) % 10**9,
        "sku_full_key": full_key(sku),
        "sku_key": make_key(sku),
    }
    with session():
        return int(Item.create(site=site_id, sku=sku, **{**fields, **columns}).id)


def stocked(site_id: int, sku: str, bc: float, shown: int, safety: int = 0, **columns: Any) -> int:
    """One that Business Central knows, decided; gives its id."""
    wanted = max(int(bc - safety), 0)
    known = {"bc_quantity": bc, "safety_stock": safety, "wanted": wanted, "shown": shown, "agreed": wanted,
             "stock_read_at": "2026-03-19 02:15:20+00"}  # fmt: skip
    return item(site_id, sku, **{**known, **columns})


def job(kind: str = "stock.push", status: str = "pending", **columns: Any) -> int:
    """A job of the ledger; gives its id."""
    fields = {"queue": "sync", "kind": kind, "status": status, **columns}
    names = ", ".join(fields)
    marks = ", ".join("%s" for _ in fields)
    found = row(f"INSERT INTO rm_queue ({names}) VALUES ({marks}) RETURNING id", tuple(fields.values()))
    assert found is not None
    if status in ("completed", "failed"):
        execute("UPDATE rm_queue SET finished_at = now() WHERE id = %s", found)
    if status == "processing":
        execute(
            "UPDATE rm_queue SET started_at = coalesce(started_at, now()), lease_expires_at = now() + interval '45 s',"
            " deadline_at = now() + interval '30 minutes', lease_token = gen_random_uuid(), attempts = 1 WHERE id = %s",
            found,
        )
    return int(found[0])


def push(
    item_id: int, job_id: int, wanted: int, before: int, outcome: str = "pushed", **columns: Any
) -> None:
    """A write that was planned for an item."""
    fields = {"item_id": item_id, "job_id": job_id, "wanted": wanted, "shown_before": before, "outcome": outcome,
              "sent_at": "2026-03-19 02:15:23+00", **columns}  # fmt: skip
    names = ", ".join(fields)
    marks = ", ".join("%s" for _ in fields)
    execute(f"INSERT INTO rm_pushes ({names}) VALUES ({marks})", tuple(fields.values()))


def delivery(site_id: int, status: str = "completed", **columns: Any) -> int:
    """A delivery of the log; gives its id."""
    fields = {
        "site_id": site_id,
        "status": status,
        "event_type": "product.updated",
        "verdict": "verified",
        **columns,
    }
    names = ", ".join(fields)
    marks = ", ".join("%s" for _ in fields)
    found = row(f"INSERT INTO rm_webhook_log ({names}) VALUES ({marks}) RETURNING id", tuple(fields.values()))
    assert found is not None
    return int(found[0])
