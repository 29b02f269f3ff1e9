"""Push jobs and their rows, inserted with whatever decided them: a full sync's compare, a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from models.database import execute, row
from models.site import Site
from workers import ledger
from workers.jobs import NewJob

PUSH_ROWS = {"bigcommerce": 2000, "woocommerce": 500}
"""Rows of a push job: one call at BigCommerce; at WooCommerce five calls or more, since the store's lease is
worth holding for a while."""

# The variations of one product go into one chunk: WooCommerce writes them in one call, which a border would split.
_CHUNKED = """
    numbered AS (
        SELECT id, wanted, shown, product_id, variant_id > 0 AS is_variant,
               row_number() OVER (ORDER BY variant_id > 0, product_id, variant_id) - 1 AS place
        FROM rm_items
        WHERE site_id = %(site)s AND active AND skip_reason IS NULL AND wanted IS NOT NULL AND ({which})
    ), bordered AS (
        SELECT *, CASE WHEN is_variant THEN min(place) OVER (PARTITION BY is_variant, product_id) ELSE place END
                  / %(size)s AS border
        FROM numbered
    ), chunked AS (SELECT *, dense_rank() OVER (ORDER BY border) AS chunk FROM bordered)
"""
_COUNT = "WITH {chunked} SELECT count(*), coalesce(max(chunk), 0) FROM chunked"
_PLAN = """
    WITH {chunked}
    INSERT INTO rm_pushes (job_id, item_id, run_id, wanted, shown_before)
    SELECT (%(jobs)s::bigint[])[chunk], id, %(run)s, wanted, shown FROM chunked
"""


def plan(site: Site, template: NewJob, which: str, parameters: Mapping[str, Any] | None = None) -> int:
    """Insert the push jobs for rows of a site, in the caller's transaction; gives how many rows.

    which: a constant condition on rm_items, with its `parameters` by name. template: kind, queue, priority,
    run, step ... of each job; a `unique_key` gets the chunk's number behind it.
    """
    chunked = _CHUNKED.format(which=which)
    bound = {
        **(parameters or {}),
        "site": site.id,
        "run": template.run_id,
        "size": PUSH_ROWS[site.platform],
    }
    found = row(_COUNT.format(chunked=chunked), bound)
    assert found is not None
    number, chunks = found
    if chunks:
        bound["jobs"] = ledger.insert([_numbered(template, chunk) for chunk in range(chunks)])
        execute(_PLAN.format(chunked=chunked), bound)
    return int(number)


def _numbered(template: NewJob, chunk: int) -> NewJob:
    if template.unique_key is None:
        return template
    return replace(template, unique_key=f"{template.unique_key}:{chunk}")
