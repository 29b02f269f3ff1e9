"""Push jobs and their rows, inserted with whatever decided them: a full sync's compare, a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from models.database import execute, row, transaction
from models.site import Site
from workers import guard, ledger
from workers.full_sync.requests import request_sync
from workers.jobs import WEBHOOKS, Claim, NewJob, Priority

log = structlog.get_logger()

HELD_REASON = "falls_to_zero"
PUSH_ROWS = {"bigcommerce": 2000, "woocommerce": 500}
"""Rows of a push job: one call at BigCommerce; at WooCommerce five calls or more, since the store's lease is
worth holding for a while."""

_SCOPE = "site_id = %(site)s AND active AND skip_reason IS NULL AND wanted IS NOT NULL AND ({which})"
# The variations of one product go into one chunk: WooCommerce writes them in one call, which a border would split.
_CHUNKED = """
    numbered AS (
        SELECT id, wanted, shown, product_id, variant_id > 0 AS is_variant,
               row_number() OVER (ORDER BY variant_id > 0, product_id, variant_id) - 1 AS place
        FROM rm_items WHERE {scope}
    ), bordered AS (
        SELECT *, CASE WHEN is_variant THEN min(place) OVER (PARTITION BY is_variant, product_id) ELSE place END
                  / %(size)s AS border
        FROM numbered
    ), chunked AS (SELECT *, dense_rank() OVER (ORDER BY border) AS chunk FROM bordered)
"""
_HOLD = f"""
    INSERT INTO rm_pushes (job_id, item_id, run_id, wanted, shown_before, outcome, reason, decided_at)
    SELECT %(planner)s, id, %(run)s, wanted, shown, 'held', %(reason)s, now() FROM rm_items
    WHERE {{scope}} AND {guard.FALLS_TO_ZERO}
    ON CONFLICT (job_id, item_id) DO UPDATE SET outcome = 'held', wanted = excluded.wanted
"""
_COUNT = "WITH {chunked} SELECT count(*), coalesce(max(chunk), 0) FROM chunked"
_PLAN = """
    WITH {chunked}
    INSERT INTO rm_pushes (job_id, item_id, run_id, wanted, shown_before)
    SELECT (%(jobs)s::bigint[])[chunk], id, %(run)s, wanted, shown FROM chunked
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """rows: to be written. held: set aside by the guard, which says why in `reason`."""

    rows: int
    held: int = 0
    reason: str | None = None


def plan(
    site: Site,
    template: NewJob,
    which: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    planner: int,
    suspicion: str | None = None,
    guarded: bool = True,
) -> Planned:
    """Insert the push jobs for rows of a site, in the caller's transaction.

    which: a constant condition on rm_items, with its `parameters` by name. template: kind, queue, priority,
    run, step ... of each job; a `unique_key` gets the chunk's number behind it. planner: the job that plans;
    rows that the guard sets aside are listed under it. suspicion: see guard.judge. guarded: False lets all pass,
    for what a person has released.
    """
    scope = _SCOPE.format(which=which)
    bound = {
        **(parameters or {}),
        "site": site.id,
        "run": template.run_id,
        "size": PUSH_ROWS[site.platform],
        "planner": planner,
    }
    reason = guard.judge(site.id, scope, bound, suspicion) if guarded else None
    held = 0
    if reason is not None:
        held = execute(_HOLD.format(scope=scope), {**bound, "reason": HELD_REASON})
        scope = f"{scope} AND NOT ({guard.FALLS_TO_ZERO})"
        log.warning("the guard holds rows", action="guard", site_id=site.id, rows=held, reason=reason)
    chunked = _CHUNKED.format(scope=scope)
    found = row(_COUNT.format(chunked=chunked), bound)
    assert found is not None
    number, chunks = found
    if chunks:
        bound["jobs"] = ledger.insert([_numbered(template, chunk) for chunk in range(chunks)])
        execute(_PLAN.format(chunked=chunked), bound)
    return Planned(int(number), held, reason)


def plan_alone(
    site: Site, which: str, parameters: Mapping[str, Any], *, planner: Claim, priority: int, asker: str
) -> Planned:
    """Insert the push jobs that no run asks for, in the caller's transaction; see `plan`.

    A person releases runs: for what the guard sets aside, a full sync is asked for, which shows all that would fall
    and is held in its turn. asker: for whom that is.
    """
    template = NewJob(
        kind="stock.push",
        queue=WEBHOOKS,
        priority=priority,
        payload={"asked_by": planner.id},
        site_id=site.id,
        store_key=site.store_key,
        request_id=planner.request_id,
    )
    with transaction():
        planned = plan(site, template, which, parameters, planner=planner.id)
    if planned.held and not _held_already(site.id):
        request_sync(site.id, requested_by=f"the guard, for what {asker} asked for", priority=Priority.NIGHT)
    return planned


def _held_already(site_id: int) -> bool:
    return (
        row(
            "SELECT 1 FROM rm_sync_runs WHERE site_id = %s AND (status IN ('queued', 'running')"
            " OR (status = 'held' AND superseded_by IS NULL)) LIMIT 1",
            (site_id,),
        )
        is not None
    )


def _numbered(template: NewJob, chunk: int) -> NewJob:
    if template.unique_key is None:
        return template
    return replace(template, unique_key=f"{template.unique_key}:{chunk}")
