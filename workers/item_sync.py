"""Syncing one item because a person asks for it: both ends are read now, and what differs is written.

A webhook may not raise what a shop shows, since it may just have sold. A person who has looked at the item may: they
ask for this very one. Its writes are guarded, and wait for the store's lease, like all others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from models.database import row, rows, session
from models.item import Item
from models.site import Site
from workers import clock, ledger
from workers.connections import site_client
from workers.decisions import decide
from workers.errors import Conflict, UnknownRecord
from workers.jobs import WEBHOOKS, Done, Priority, Work
from workers.planning import plan_alone
from workers.stock_reads import read_stock_of
from workers.webhooks.products import DESERVES_A_PUSH, InQuestion, first_listed_now, in_question, read_again

KIND = "item.sync"
FOLD_KEY = "item:{}"

# Asked for twice while it waits, it is done once. What is under way may have read already: then one more waits.
_REQUEST = f"""
    INSERT INTO rm_queue AS q (kind, queue, priority, payload, site_id, fold_key, request_id)
    SELECT '{KIND}', '{WEBHOOKS}', {int(Priority.PERSON)},
           jsonb_build_object('item', i.id, 'requested_by', %(by)s::text), i.site_id, %(fold)s, %(request)s
    FROM rm_items i WHERE i.id = %(item)s
    ON CONFLICT (fold_key) WHERE status = 'pending' AND fold_key IS NOT NULL
        DO UPDATE SET folded = q.folded + 1, available_at = least(q.available_at, now()), hinted_at = NULL
    RETURNING q.id
"""
# The others of its SKU go along: which of two rows is ambiguous depends on both.
_SAME_KEY = """
    SELECT id, sku_key, tracking IN ('product', 'variant') FROM rm_items
    WHERE site_id = %s AND active AND (id = %s OR (sku_key <> '' AND sku_key = (
        SELECT sku_key FROM rm_items WHERE id = %s)))
"""
# The very item that was asked for in both directions; of what was read along with it, what an event may write.
_WHICH = f"""
    (id = %(asked)s AND (unsure OR shown IS DISTINCT FROM wanted)) OR ({DESERVES_A_PUSH})
"""


def request_item_sync(item_id: int, *, requested_by: str, request_id: str | None = None) -> int:
    """Ask for one item; gives the job's id. Raises UnknownRecord, Conflict (`site_inactive`)."""
    with ledger.committing():
        site = row(
            "SELECT s.active, s.name FROM rm_items i JOIN rm_sites s ON s.id = i.site_id"
            " WHERE i.id = %s AND s.leaving_at IS NULL",
            (item_id,),
        )
        if site is None:
            raise UnknownRecord("item")
        if not site[0]:
            raise Conflict("site_inactive", f"{site[1]} is paused: make it active first")
        bound = {
            "item": item_id,
            "by": requested_by,
            "fold": FOLD_KEY.format(item_id),
            "request": request_id,
        }
        found = row(_REQUEST, bound)
        if found is None:
            raise UnknownRecord("item")
        ledger.hint_after_commit(WEBHOOKS)
        return int(found[0])


def sync_item(work: Work) -> Done:
    """Read the item's product in the shop and its number in Business Central, and write what differs."""
    item_id = int(work.claim.payload["item"])
    with session():
        site = Site.get_by_id(work.claim.site_id)
        item = Item.get_or_none(Item.id == item_id)
    if item is None or not site.active:
        return Done(result={"outcome": "gone" if item is None else "paused"})
    since = clock.now()
    with site_client(site, work) as client:
        confirming = read_again(client, site, [item.product_id])
    # Not as an event's, which may not raise: what was asked for is done once it is known what the shop shows.
    again = [
        replace(job, kind=KIND, payload=work.claim.payload, unique_key=f"{job.unique_key}:item:{item_id}")
        for job in confirming
    ]
    item_ids = _decide(work, site, item, since)

    def record() -> None:
        parameters = {"asked": item_id, "items": item_ids}
        plan_alone(site, _WHICH, parameters, planner=work.claim, priority=Priority.PERSON, asker="a person")

    return Done(jobs=again, result={"outcome": "read", "rows": len(item_ids)}, record=record)


def _decide(work: Work, site: Site, item: Item, since: datetime) -> list[int]:
    """Ask Business Central, and judge the item with all that its product's new state puts in question."""
    if first_listed_now(site):
        return []
    found = {entry.id: entry for entry in in_question(site.id, [item.product_id])}
    same = rows(_SAME_KEY, (site.id, item.id, item.id))
    found |= {entry.id: entry for entry in (InQuestion(*values) for values in same)}
    keys = sorted({entry.key for entry in found.values() if entry.tracked and entry.key})
    read_stock_of(work, site.company_id, keys)
    item_ids = sorted(found)
    if item_ids:
        decide(site, since=since, stock_is_partial=False, item_ids=item_ids)
    return item_ids
