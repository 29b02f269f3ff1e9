"""A product's event: read it again from the shop, follow what changed, and give it the right stock at once.

An event only says that something happened. Whether a product was created, changed, sold, trashed, restored or
taken off the channel, and in which order the events came: what the shop answers now is what holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.database import rows, session
from models.site import BIGCOMMERCE, Site
from workers import clock, ledger
from workers.clients.shop import ShopClient
from workers.connections import site_client
from workers.decisions import decide
from workers.errors import LeaseLost, MustWait, RateLimited
from workers.full_sync import steps
from workers.jobs import WEBHOOKS, Done, NewJob, Priority, Work
from workers.leases import heartbeat
from workers.observations import record_gone, record_shop
from workers.planning import plan_alone
from workers.stock_reads import read_stock_of
from workers.webhooks import outcomes
from workers.webhooks.intake import KIND as PRODUCT_EVENT

PRODUCTS_A_READ = {BIGCOMMERCE: 250, "woocommerce": 100}
"""One call at most: a burst of events must not eat the shop's quota."""
SETTLE_MARGIN_SECONDS = 1.0
FRESH_STOCK = timedelta(seconds=60)  # what BC said this lately is not asked again

# Only what the shop now shows otherwise than agreed asks for a decision, and for BC: an echo of our own write
# does not. With each row go the others of its key, since two SKUs may have become ambiguous. A union, not an OR:
# that one made PostgreSQL read the whole table for each event.
_IN_QUESTION = """
    WITH own AS MATERIALIZED (
        SELECT id, sku_key, tracking FROM rm_items
        WHERE site_id = %(site)s AND active AND product_id = ANY (%(products)s)
          AND (agreed IS NULL OR shown IS DISTINCT FROM wanted OR skip_reason IS NOT NULL OR failure IS NOT NULL)
    )
    SELECT id, sku_key, tracking IN ('product', 'variant') FROM own
    UNION
    SELECT i.id, i.sku_key, i.tracking IN ('product', 'variant') FROM own
    JOIN rm_items i ON i.site_id = %(site)s AND i.active AND i.sku_key = own.sku_key
    WHERE own.sku_key <> ''
"""
_FIRST_LISTED = f"""
    SELECT 1 FROM (SELECT step FROM rm_sync_runs WHERE site_id = %s AND status IN ('queued', 'running')
                   ORDER BY id LIMIT 1) first
    WHERE step IN ('{steps.START}', '{steps.LIST}')
"""
_NOT_FRESH = """
    SELECT key FROM unnest(%s::text[]) AS key
    WHERE NOT EXISTS (SELECT FROM rm_stock s
                      WHERE s.company_id = %s AND s.key = key.key AND s.read_started_at >= %s)
    ORDER BY key
"""
# Never raise merely because the shop shows less: it has sold, and BC doesn't know yet. Lower always.
DESERVES_A_PUSH = """
    id = ANY (%(items)s) AND NOT unsure AND shown IS DISTINCT FROM wanted
    AND (agreed IS NULL OR agreed <> wanted OR wanted < shown)
"""


@dataclass(frozen=True, slots=True)
class InQuestion:
    """A row that is to be decided anew. tracked: the shop tracks its stock."""

    id: int
    key: str
    tracked: bool


def follow(work: Work) -> Done:
    """Do the events of one product, and of others of its shop that wait."""
    with session():
        site = Site.get_by_id(work.claim.site_id)
    if not site.active:
        return Done(record=lambda: outcomes.ignored([work.claim.id], "the site is not active"))
    if work.claim.attempts == 1:  # what has failed before goes alone
        ledger.claim_companions(work, PRODUCTS_A_READ[site.platform] - 1)
    job_ids = [claim.id for claim in work.claims]
    with heartbeat.holding(*work.companions):
        try:
            item_ids, confirming = _follow(work, site)
        except (MustWait, RateLimited, LeaseLost):
            raise
        except Exception as error:
            outcomes.attempt_failed(job_ids, f"{error}".splitlines()[0][:500] if str(error) else repr(error))
            raise

    def record() -> None:
        outcomes.completed(job_ids)
        _plan(work, site, item_ids)

    result = {"products": len(job_ids), "in_question": len(item_ids)}
    return Done(jobs=confirming, result=result, record=record)


def _follow(work: Work, site: Site) -> tuple[list[int], list[NewJob]]:
    """Read, record, decide; gives the rows whose stock may have to change, and the reads that follow later."""
    product_ids = sorted({int(claim.payload["product"]) for claim in work.claims})
    with site_client(site, work) as client:
        confirming = read_again(client, site, product_ids)
    # After the read: a first listing that is not over yet compares what the read has recorded.
    found = [] if first_listed_now(site) else in_question(site.id, product_ids)
    if not found:
        return [], confirming
    since = clock.now() - FRESH_STOCK
    _ask_bc(work, site, sorted({entry.key for entry in found if entry.tracked and entry.key}), since)
    item_ids = [entry.id for entry in found]
    decide(site, since=since, stock_is_partial=False, item_ids=item_ids)
    return item_ids, confirming


def first_listed_now(site: Site) -> bool:
    """Whether the site's very first listing is not over: which SKUs are ambiguous is not known before.

    Whoever asks must leave the rows to the sync that lists: it compares them all, these too.
    """
    if site.last_synced_at is not None:
        return False
    return bool(rows(_FIRST_LISTED, (site.id,)))


def in_question(site_id: int, product_ids: Sequence[int]) -> list[InQuestion]:
    """The rows about which an event of these products asks for a decision."""
    return [
        InQuestion(*found) for found in rows(_IN_QUESTION, {"site": site_id, "products": list(product_ids)})
    ]


def read_again(client: ShopClient, site: Site, product_ids: Sequence[int]) -> list[NewJob]:
    """Read products now, and record what they show; gives the reads that must confirm what may still be in flight."""
    started = clock.now()
    read = client.read_products(product_ids)
    settle = client.settle_seconds
    observed = record_shop(site.id, read.items, started, settle_seconds=settle, listing=False)
    record_gone(site.id, product_ids, [item.ref for item in read.items], started)
    landed = settle + SETTLE_MARGIN_SECONDS - started.timestamp()
    return [_confirming(site, product, sent, sent + landed) for product, sent in observed.flying.items()]


def _confirming(site: Site, product_id: int, sent: int, delay_seconds: float) -> NewJob:
    """One read more, once the last write must show: until then it may be late, or a sale has undone it."""
    return NewJob(
        kind=PRODUCT_EVENT,
        queue=WEBHOOKS,
        priority=Priority.NIGHT,
        payload={"product": product_id},
        site_id=site.id,
        unique_key=f"site:{site.id}:product:{product_id}:sent:{sent}",
        delay_seconds=delay_seconds,
    )


def _ask_bc(work: Work, site: Site, keys: Sequence[str], since: datetime) -> None:
    stale = [key for (key,) in rows(_NOT_FRESH, (list(keys), site.company_id, since))]
    read_stock_of(work, site.company_id, stale)


def _plan(work: Work, site: Site, item_ids: Sequence[int]) -> None:
    if item_ids:
        plan_alone(
            site, DESERVES_A_PUSH, {"items": list(item_ids)}, planner=work.claim, priority=Priority.URGENT,
            asker="webhooks",
        )  # fmt: skip
