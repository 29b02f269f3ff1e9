"""Which read wins: state of shop and BC is written only where the stored version is older.

A read carries `read_started_at`, taken before its request. Listings write only what they change; reads by id
always write the version, so that a slower listing can't undo them. Of two reads of BC that were under way at once
nobody can tell which saw the newer stock: where they differ, it is read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from models.database import execute, row, rows, transaction
from workers.clients.business_central import BcItem
from workers.clients.shop import ItemRef, ShopItem
from workers.database_errors import retried
from workers.sku import InvalidSkuError, cut, full_key, storable

BATCH_ROWS = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observed:
    """changed: rows written. flying: products of which a row still shows what it did before a write that is settling.

    Each with when its last write was sent (seconds since 1970).
    """

    changed: int = 0
    flying: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: Observed) -> Observed:
        """Of a product whose variants were observed in both, the later write counts."""
        later = {product: max(sent, self.flying.get(product, sent)) for product, sent in other.flying.items()}
        return Observed(self.changed + other.changed, {**self.flying, **later})


def batched(values: Iterable[T], size: int = BATCH_ROWS) -> Iterator[list[T]]:
    """Lists of at most `size`, in order."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch


# A row is in flight while it shows what it did before a write that the store accepted and may still apply.
_FLYING = (
    "rm_items.sent_at > excluded.observed_at - make_interval(secs => %(settle)s)"
    " AND rm_items.shown = rm_items.sent AND excluded.shown = rm_items.shown_before"
)
_SETTLED_DOUBT = (
    "rm_items.unsure AND excluded.observed_at >= rm_items.sent_at + make_interval(secs => %(settle)s)"
)
# Another SKU, another holder of the stock, or back from the dead: what was agreed before says nothing now.
_SAME = "rm_items.active AND (rm_items.sku_key, rm_items.tracking) = (excluded.sku_key, excluded.tracking)"
_RECORD_SHOP = f"""
    WITH new AS (
        SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
            product_id bigint, variant_id bigint, sku text, sku_full_key text, sku_key text, name text,
            tracking text, shown bigint)
    ), flying AS (
        SELECT product_id, max(extract(epoch FROM i.sent_at))::bigint AS sent_at
        FROM rm_items i JOIN new USING (product_id, variant_id)
        WHERE i.site_id = %(site)s AND i.sent_at > %(started)s - make_interval(secs => %(settle)s)
          AND i.shown = i.sent AND new.shown = i.shown_before AND i.sent <> i.shown_before
        GROUP BY product_id
    ), written AS (
        INSERT INTO rm_items (site_id, product_id, variant_id, sku, sku_full_key, sku_key, name, tracking, shown,
                              observed_at)
        SELECT %(site)s, product_id, variant_id, sku, sku_full_key, sku_key, name, tracking, shown, %(started)s
        FROM new ORDER BY product_id, variant_id
        ON CONFLICT (site_id, product_id, variant_id) DO UPDATE SET
            sku = excluded.sku, sku_full_key = excluded.sku_full_key, sku_key = excluded.sku_key,
            name = excluded.name, tracking = excluded.tracking, active = true, deactivated_at = NULL,
            shown = CASE WHEN {_FLYING} THEN rm_items.shown ELSE excluded.shown END,
            agreed = CASE WHEN {_SAME} THEN rm_items.agreed END,
            unsure = rm_items.unsure AND NOT ({_SETTLED_DOUBT}),
            observed_at = excluded.observed_at, updated_at = now()
        WHERE rm_items.observed_at < excluded.observed_at
          AND (%(always)s OR NOT rm_items.active OR ({_SETTLED_DOUBT})
               OR (rm_items.sku, rm_items.name, rm_items.tracking)
                  IS DISTINCT FROM (excluded.sku, excluded.name, excluded.tracking)
               OR (rm_items.shown IS DISTINCT FROM excluded.shown AND NOT coalesce({_FLYING}, false)))
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM written),
           (SELECT coalesce(jsonb_object_agg(product_id, sent_at), '{{}}') FROM flying)
"""


def record_shop(
    site_id: int,
    items: Sequence[ShopItem],
    read_started_at: datetime,
    *,
    settle_seconds: float,
    listing: bool,
) -> Observed:
    """Write what a shop showed into rm_items, 500 rows a statement.

    listing: True for a page of a listing (writes only what it changes), False for a read by id.
    """
    latest = {item.ref: item for item in items}
    ordered = [latest[ref] for ref in sorted(latest, key=lambda ref: (ref.product_id, ref.variant_id))]
    total = Observed()
    for batch in batched(ordered):
        changed, flying = _write_shop(
            {
                "rows": json.dumps([_shop_row(item) for item in batch]),
                "site": site_id,
                "started": read_started_at,
                "settle": settle_seconds,
                "always": not listing,
            }
        )
        total += Observed(changed, {int(product): sent for product, sent in flying.items()})
    return total


@retried  # whoever decides or writes these rows takes them in another order
def _write_shop(parameters: dict[str, Any]) -> tuple[Any, ...]:
    with transaction():
        found = row(_RECORD_SHOP, parameters)
    assert found is not None
    return found


def _shop_row(item: ShopItem) -> dict[str, Any]:
    try:
        whole = full_key(item.sku)
        key = cut(whole)
    except InvalidSkuError:
        whole = key = ""  # can't be a BC number; listed as `invalid`, since the raw SKU isn't empty
    return {
        "product_id": item.ref.product_id,
        "variant_id": item.ref.variant_id,
        "sku": storable(item.sku),
        "sku_full_key": whole,
        "sku_key": key,
        "name": storable(item.name),
        "tracking": item.tracking.value,
        "shown": item.shown,
    }


# The rows are locked in the order in which `record_shop` writes them, so that neither waits for the other in a ring.
_RECORD_GONE = """
    WITH gone AS MATERIALIZED (
        SELECT id FROM rm_items
        WHERE site_id = %(site)s AND active AND product_id = ANY (%(products)s) AND observed_at < %(started)s
          AND NOT EXISTS (
              SELECT FROM unnest(%(kept_products)s::bigint[], %(kept_variants)s::bigint[])
                          AS kept (product_id, variant_id)
              WHERE kept.product_id = rm_items.product_id AND kept.variant_id = rm_items.variant_id)
        ORDER BY product_id, variant_id FOR UPDATE
    )
    UPDATE rm_items SET active = false, deactivated_at = now(), observed_at = %(started)s, updated_at = now()
    FROM gone WHERE rm_items.id = gone.id
"""


@retried
def record_gone(
    site_id: int, product_ids: Sequence[int], present: Iterable[ItemRef], read_started_at: datetime
) -> int:
    """Deactivate the rows of these products that a read by id did not find; gives how many."""
    kept = list(present)
    return execute(
        _RECORD_GONE,
        {
            "site": site_id,
            "products": list(product_ids),
            "started": read_started_at,
            "kept_products": [ref.product_id for ref in kept],
            "kept_variants": [ref.variant_id for ref in kept],
        },
    )


_READ_STOCK = """jsonb_to_recordset(%(rows)s) AS r (
    number text, key text, quantity numeric(20, 5), type text, blocked boolean, name text)"""
# A read that began while another was under way may have been worked on before it: it takes the row only where
# both saw the same.
_RECORD_STOCK = f"""
    INSERT INTO rm_stock (company_id, number, key, quantity, type, blocked, name, read_started_at, read_ended_at)
    SELECT %(company)s, number, key, quantity, type, blocked, name, %(started)s, %(ended)s FROM {_READ_STOCK}
    ORDER BY number
    ON CONFLICT (company_id, number) DO UPDATE SET
        key = excluded.key, quantity = excluded.quantity, type = excluded.type, blocked = excluded.blocked,
        name = excluded.name, read_started_at = excluded.read_started_at,
        read_ended_at = greatest(rm_stock.read_ended_at, excluded.read_ended_at),
        changed_at = CASE WHEN rm_stock.quantity = excluded.quantity THEN rm_stock.changed_at ELSE now() END
    WHERE rm_stock.read_started_at < excluded.read_started_at
      AND (rm_stock.read_ended_at <= excluded.read_started_at
           OR (rm_stock.quantity, rm_stock.type) = (excluded.quantity, excluded.type))
"""
# A statement of its own, that it sees what others wrote while the one before waited for them. What differs and
# was not taken is older, if all of the stored read came after, and else in dispute.
_DISPUTED = f"""
    SELECT s.number FROM rm_stock s JOIN {_READ_STOCK} ON r.number = s.number
    WHERE s.company_id = %(company)s AND s.read_started_at < %(ended)s
      AND (s.quantity, s.type) <> (r.quantity, r.type)
    ORDER BY s.number
"""


def record_stock(
    company_id: int, items: Iterable[BcItem], read_started_at: datetime, read_ended_at: datetime
) -> list[str]:
    """Write what BC holds into rm_stock, 500 rows a statement; gives the numbers that must be read again.

    Those stay as they were: another read, which was under way at the same time, saw something else. Every read
    stamps its rows: a sync trusts only stock read since it asked, so freshness has to be stored.
    """
    disputed: list[str] = []
    for batch in batched(items):
        latest = {item.number: _stock_row(item) for item in batch}
        parameters = {
            "company": company_id,
            "started": read_started_at,
            "ended": read_ended_at,
            "rows": json.dumps(list(latest.values())),
        }
        with transaction():
            if execute(_RECORD_STOCK, parameters) < len(latest):
                disputed += [number for (number,) in rows(_DISPUTED, parameters)]
    return disputed


def _stock_row(item: BcItem) -> dict[str, Any]:
    return {
        "number": storable(item.number),
        "key": cut(full_key(storable(item.number))),
        "quantity": str(item.quantity),
        "type": item.type,
        "blocked": item.blocked,
        "name": storable(item.name),
    }
