"""Step 3: what no page showed is read again by id. Only what that read misses too is deactivated.

Offset pages shift while products come and go, so that missing from a listing only nominates.
"""

from __future__ import annotations

from models.database import execute, rows, transaction
from workers import clock
from workers.clients.shop import ShopClient
from workers.connections import site_client
from workers.full_sync.context import load
from workers.full_sync.settle import in_flight
from workers.jobs import Done, Work
from workers.observations import Observed, record_gone, record_shop

PRODUCTS_A_READ = 250

_NOMINEES = """
    WITH seen AS MATERIALIZED (
        SELECT unnest(product_ids) AS product_id, unnest(variant_ids) AS variant_id
        FROM rm_sync_pages WHERE run_id = %(run)s
    )
    SELECT DISTINCT i.product_id FROM rm_items i
    WHERE i.site_id = %(site)s AND i.active AND i.product_id > %(after)s
      AND i.observed_at < (SELECT list_started_at FROM rm_sync_runs WHERE id = %(run)s)
      AND NOT EXISTS (
          SELECT FROM seen WHERE seen.product_id = i.product_id AND seen.variant_id = i.variant_id)
    ORDER BY i.product_id LIMIT %(most)s
"""


def confirm(work: Work) -> Done:
    """Read the nominees by id, deactivate what is gone."""
    run, site = load(work.claim)
    total, observed = 0, Observed()
    after = 0
    with site_client(site, work) as client:
        while nominees := _nominees(run.id, site.id, after):
            gone, read = _read_again(run.id, site.id, client, nominees)
            total, observed = total + gone, observed + read
            after = nominees[-1]
    return Done(result={"deactivated": total, **in_flight(observed)})


def _nominees(run_id: int, site_id: int, after: int) -> list[int]:
    parameters = {"run": run_id, "site": site_id, "after": after, "most": PRODUCTS_A_READ}
    return [product_id for (product_id,) in rows(_NOMINEES, parameters)]


def _read_again(
    run_id: int, site_id: int, client: ShopClient, product_ids: list[int]
) -> tuple[int, Observed]:
    started = clock.now()
    read = client.read_products(product_ids)
    observed = record_shop(site_id, read.items, started, settle_seconds=client.settle_seconds, listing=False)
    with transaction():
        gone = record_gone(site_id, product_ids, [item.ref for item in read.items], started)
        # Counted with the rows: should the next read fail, the attempt after it doesn't find these again.
        execute("UPDATE rm_sync_runs SET deactivated = deactivated + %s WHERE id = %s", (gone, run_id))
    return gone, observed
