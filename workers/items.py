"""One item with all that is known of it: both ends, the last write and its cause, its past, the other shops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from models.database import row, rows, session
from workers.errors import UnknownRecord
from workers.figures import STATE_SQL
from workers.planning import HELD_REASON

HISTORY_ROWS = 50
OTHERS_SHOWN = 50  # rows of the same SKU, in all shops


@dataclass(frozen=True, slots=True)
class ItemView:
    """A row of a shop. held_run: the run in which the guard holds it. stock_since: when the shop was last read."""

    id: int
    site_id: int
    shop: str
    platform: str
    site_active: bool
    company_id: int
    product_id: int
    variant_id: int
    sku: str
    sku_key: str
    name: str
    tracking: str
    active: bool
    state: str
    skip_reason: str | None
    failure: str | None
    unsure: bool
    bc_quantity: Decimal | None
    safety_stock: int | None
    stock_read_at: datetime | None
    wanted: int | None
    shown: int | None
    observed_at: datetime
    shown_before: int | None
    sent: int | None
    sent_at: datetime | None
    sent_by_job: int | None
    drift_since: datetime | None
    deactivated_at: datetime | None
    site_safety_stock: int
    held_run: int | None


# A write that the guard keeps back, in the last run of its shop.
_HELD_BACK = f"""r.status = 'held' AND r.superseded_by IS NULL
    AND p.outcome = 'held' AND p.reason = '{HELD_REASON}'"""
_VIEW = f"""
    SELECT i.id, i.site_id, s.name, s.platform, s.active, s.company_id, i.product_id, i.variant_id, i.sku, i.sku_key,
           i.name, i.tracking, i.active, CASE WHEN i.active THEN {STATE_SQL} ELSE 'gone' END, i.skip_reason, i.failure,
           i.unsure, i.bc_quantity, i.safety_stock, i.stock_read_at, i.wanted, i.shown, i.observed_at, i.shown_before,
           i.sent, i.sent_at, i.sent_by_job, i.drift_since, i.deactivated_at, s.safety_stock,
           (SELECT r.id FROM rm_sync_runs r JOIN rm_pushes p ON p.run_id = r.id AND p.item_id = i.id
            WHERE r.site_id = i.site_id AND {_HELD_BACK} LIMIT 1)
    FROM rm_items i JOIN rm_sites s ON s.id = i.site_id WHERE i.id = %s AND s.leaving_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class BcItem:
    """What Business Central was last read to hold under this number."""

    number: str
    name: str
    quantity: Decimal
    type: str
    blocked: bool
    read_started_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Write:
    """One write that was planned for the item, and its cause: a run, a webhook's delivery, or a person.

    cause: `run`, `webhook`, `person` or `unknown` (it is forgotten); cause_id: the run, the delivery, or the job by
    which a person asked; None: it is forgotten. asked_by: who asked for that run or job.
    """

    job_id: int
    wanted: int
    shown_before: int | None
    outcome: str
    reason: str | None
    message: str | None
    at: datetime
    cause: str
    cause_id: int | None
    asked_by: str


@dataclass(frozen=True, slots=True)
class OtherRow:
    """The same SKU elsewhere."""

    id: int
    site_id: int
    shop: str
    sku: str
    state: str
    wanted: int | None
    shown: int | None
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """The last time a person asked to have it synced alone."""

    job_id: int
    status: str
    error: str | None
    at: datetime
    result: dict[str, Any] | None


def get(item_id: int) -> ItemView:
    """One item. Raises UnknownRecord."""
    found = row(_VIEW, (item_id,))
    if found is None:
        raise UnknownRecord("item")
    return ItemView(*found)


def in_bc(item: ItemView) -> list[BcItem]:
    """What Business Central has under its number: none, one, or several that are the same after the cut."""
    if not item.sku_key:
        return []
    found = rows(
        "SELECT number, name, quantity, type, blocked, read_started_at, changed_at FROM rm_stock"
        " WHERE company_id = %s AND key = %s ORDER BY number LIMIT 5",
        (item.company_id, item.sku_key),
    )
    return [BcItem(*values) for values in found]


# A push job says which job planned it, where no run did. A webhook's job may have done others along with it, whose
# deliveries name themselves.
_HISTORY = """
    SELECT p.job_id, p.wanted, p.shown_before, p.outcome, p.reason, p.message, p.at,
           CASE WHEN p.run_id IS NOT NULL THEN 'run' WHEN a.kind = 'webhook.product' THEN 'webhook'
                WHEN a.kind = 'item.sync' THEN 'person' ELSE 'unknown' END,
           coalesce(p.run_id, w.id, CASE WHEN a.kind = 'item.sync' THEN a.id END),
           coalesce(r.requested_by, a.payload ->> 'requested_by', '')
    FROM (SELECT p.*, coalesce(p.sent_at, p.decided_at, q.created_at) AS at,
                 (q.payload ->> 'asked_by')::bigint AS asked_by
          FROM rm_pushes p JOIN rm_queue q ON q.id = p.job_id
          WHERE p.item_id = %(item)s ORDER BY p.job_id DESC LIMIT %(most)s) p
    LEFT JOIN rm_sync_runs r ON r.id = p.run_id
    LEFT JOIN rm_queue a ON a.id = p.asked_by
    LEFT JOIN LATERAL (
        (SELECT id FROM rm_webhook_log WHERE job_id = a.id AND product_id = %(product)s ORDER BY id DESC LIMIT 1)
        UNION ALL
        (SELECT l.id FROM (SELECT id, job_id FROM rm_webhook_log
                           WHERE product_id = %(product)s AND site_id = %(site)s AND received_at <= p.at
                           ORDER BY id DESC LIMIT 20) l
         JOIN rm_queue j ON j.id = l.job_id AND j.result ->> 'done_with' = a.id::text LIMIT 1)
        LIMIT 1) w ON a.kind = 'webhook.product'
    ORDER BY p.at DESC, p.job_id DESC
"""


def history(item: ItemView, most: int = HISTORY_ROWS) -> list[Write]:
    """The last writes that were planned for an item, as long as their jobs are kept; the newest first."""
    bound = {"item": item.id, "product": item.product_id, "site": item.site_id, "most": most}
    return [Write(*values) for values in rows(_HISTORY, bound)]


def others(item: ItemView) -> list[OtherRow]:
    """Rows of the same SKU that are sold, in this and in other shops."""
    if not item.sku_key:
        return []
    found = rows(
        f"SELECT i.id, i.site_id, s.name, i.sku, {STATE_SQL}, i.wanted, i.shown, i.observed_at"
        " FROM (SELECT * FROM rm_items WHERE active AND sku_key = %s AND id <> %s ORDER BY site_id, id LIMIT %s) i"
        " JOIN rm_sites s ON s.id = i.site_id AND s.leaving_at IS NULL ORDER BY i.site_id <> %s, lower(s.name), i.id",
        (item.sku_key, item.id, OTHERS_SHOWN, item.site_id),
    )
    return [OtherRow(*values) for values in found]


def held_among(item_ids: Sequence[int]) -> set[int]:
    """Which of these the guard holds back in the last run of their shop."""
    found = rows(
        "SELECT p.item_id FROM rm_pushes p JOIN rm_sync_runs r ON r.id = p.run_id"
        f" WHERE p.item_id = ANY (%s) AND {_HELD_BACK}",
        (list(item_ids),),
    )
    return {item_id for (item_id,) in found}


def last_asked(item_id: int) -> Asked | None:
    """The last job by which a person had this item synced, as long as it is kept."""
    with session():
        found = row(
            "SELECT id, status, error, created_at, result FROM rm_queue WHERE fold_key = %s ORDER BY id DESC LIMIT 1",
            (f"item:{item_id}",),
        )
    return Asked(*found) if found else None
