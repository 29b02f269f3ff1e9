"""What each row of a shop should show, and why some are left alone. One SQL statement a 500 rows.

Compares with what the shop SHOWS, not with what was once sent. Uses only stock read since a given moment:
older is unknown, and unknown is never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.database import rows, transaction
from models.site import Site
from workers.database_errors import retried
from workers.observations import BATCH_ROWS
from workers.quantity import WANTED_SQL

NOT_READ = "stock_not_read"

# Rows are taken in the order of their unique index, in which others write them too, and are judged once each.
# OFFSET 0 keeps PostgreSQL from hashing the whole table for the questions of 500 rows; the other sites of the store,
# mostly none, are found once, not once a row among hundreds.
# The reasons stand in the order in which a person would fix them: first the SKU, then the shop, then BC.
_WANTED = WANTED_SQL.format(quantity="quantity", safety_stock="%(safety)s")
# Of the row as it is when it is written: a push may have ended since it was judged, and agreed on something else.
_RIGHT = "i.shown = d.wanted AND NOT i.unsure"
_AGREED = f"CASE WHEN {_RIGHT} THEN d.wanted ELSE i.agreed END"
# Somebody has put it right in the shop: what was refused before is history.
_FAILURE = f"CASE WHEN {_RIGHT} THEN NULL ELSE i.failure END"
_DRIFT = """CASE WHEN i.shown < d.wanted AND i.agreed = d.wanted AND NOT i.unsure
    THEN coalesce(i.drift_since, now()) END"""
_DECIDE = f"""
    WITH others AS MATERIALIZED (
        SELECT id FROM rm_sites WHERE store_key = %(store)s AND id <> %(site)s AND active
    ), batch AS (
        SELECT * FROM rm_items
        WHERE site_id = %(site)s AND active AND (product_id, variant_id) > (%(product)s, %(variant)s) {{scope}}
        ORDER BY product_id, variant_id LIMIT %(most)s
    ), judged AS MATERIALIZED (
        SELECT b.id, b.product_id, b.variant_id, b.shown, b.unsure, s.quantity, s.read_started_at,
            CASE
                WHEN b.sku_key = '' AND trim(b.sku) <> '' THEN 'invalid'
                WHEN b.sku_key = '' THEN 'empty'
                WHEN b.variant_id <> 0 AND EXISTS (
                    SELECT FROM rm_items p WHERE p.site_id = b.site_id AND p.product_id = b.product_id
                      AND p.variant_id = 0 AND p.active AND p.sku_full_key = b.sku_full_key OFFSET 0)
                    THEN 'inherits_sku'
                WHEN b.tracking = 'parent' THEN 'tracked_by_product'
                WHEN b.tracking = 'none' THEN 'untracked'
                WHEN EXISTS (
                    SELECT FROM others o JOIN rm_items x ON x.site_id = o.id
                    WHERE x.product_id = b.product_id AND x.variant_id = b.variant_id AND x.active OFFSET 0)
                    THEN 'contested'
                WHEN EXISTS (
                    SELECT FROM rm_items t WHERE t.site_id = b.site_id AND t.sku_key = b.sku_key AND t.active
                      AND t.sku_full_key <> b.sku_full_key OFFSET 0) OR s.numbers > 1 THEN 'ambiguous'
                WHEN s.numbers = 0 AND %(partial)s THEN '{NOT_READ}'
                WHEN s.numbers = 0 THEN 'unknown'
                WHEN s.type <> 'Inventory' THEN 'not_inventory'
            END AS reason
        FROM batch b CROSS JOIN LATERAL (
            SELECT count(*) AS numbers, max(quantity) AS quantity, max(type) AS type,
                   max(read_started_at) AS read_started_at
            FROM rm_stock WHERE company_id = %(company)s AND key = b.sku_key AND b.sku_key <> ''
              AND read_started_at >= %(since)s
        ) s
    ), decided AS (
        SELECT id, product_id, variant_id, shown, unsure, reason, read_started_at,
            CASE WHEN reason IS NULL THEN quantity END AS quantity,
            CASE WHEN reason IS NULL THEN {_WANTED} END AS wanted,
            CASE WHEN reason IS NULL THEN %(safety)s END AS safety
        FROM judged
    ), written AS (
        UPDATE rm_items i SET wanted = d.wanted, bc_quantity = d.quantity, safety_stock = d.safety,
            skip_reason = d.reason, agreed = {_AGREED}, drift_since = {_DRIFT}, failure = {_FAILURE},
            stock_read_at = coalesce(d.read_started_at, i.stock_read_at), updated_at = now()
        FROM decided d
        WHERE i.id = d.id AND d.reason IS DISTINCT FROM '{NOT_READ}'
          AND (i.stock_read_at IS NULL OR d.read_started_at IS NULL OR i.stock_read_at <= d.read_started_at)
          AND (i.wanted, i.bc_quantity, i.safety_stock, i.skip_reason, i.agreed, i.drift_since, i.failure)
              IS DISTINCT FROM (d.wanted, d.quantity, d.safety, d.reason, {_AGREED}, {_DRIFT}, {_FAILURE})
        RETURNING i.id
    )
    SELECT reason, count(*), max(ARRAY[product_id, variant_id]),
           count(*) FILTER (WHERE shown IS NOT DISTINCT FROM wanted AND NOT unsure)
    FROM decided GROUP BY reason
"""
_DECIDE_ALL = _DECIDE.format(scope="")
_DECIDE_SOME = _DECIDE.format(scope="AND id = ANY (%(ids)s)")


def decide(
    site: Site, *, since: datetime | None, stock_is_partial: bool, item_ids: Sequence[int] | None = None
) -> tuple[dict[str, int], int]:
    """Decide the active rows of a site; gives how many are skipped for which reason, and how many are right.

    since: stock that was read earlier is not known. stock_is_partial: a key that was not read then is
    `stock_not_read` and stays as it was; else it is `unknown`. item_ids: only these rows; None = all.
    """
    skipped: Counter[str] = Counter()
    unchanged = 0
    parameters: dict[str, Any] = {
        "site": site.id,
        "company": site.company_id,
        "store": site.store_key,
        "since": since,
        "safety": site.safety_stock,
        "partial": stock_is_partial,
        "ids": None if item_ids is None else list(item_ids),
        "most": BATCH_ROWS,
        "product": 0,
        "variant": -1,
    }
    statement = _DECIDE_ALL if item_ids is None else _DECIDE_SOME
    while True:
        found = _decide_batch(statement, parameters)
        for reason, number, _, right in found:
            if reason is None:
                unchanged += right
            else:
                skipped[reason] += number
        if sum(number for _, number, _, _ in found) < BATCH_ROWS:
            return dict(skipped), unchanged
        parameters["product"], parameters["variant"] = max(last for _, _, last, _ in found)


@retried  # whoever records what the shop shows takes the rows in another order
def _decide_batch(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with transaction():
        return rows(statement, parameters)
