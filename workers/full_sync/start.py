"""Step 1: become the site's running sync, and learn what the shop is like before listing it."""

from __future__ import annotations

import json

from models.database import execute, row
from models.site import Site
from workers.connections import site_client
from workers.errors import MustWait
from workers.full_sync import steps
from workers.full_sync.context import load
from workers.jobs import Claim, Done, Work

BEHIND_SECONDS = 5.0  # a run that waits for another is woken when that one ends; this is the safety net


def start(work: Work) -> Done:
    """Ask the shop for its facts and open its listings. Raises what makes the whole run fail."""
    claim = work.claim
    _begin(claim)
    run, site = load(claim)
    with site_client(site, work) as client:
        facts = client.facts(_highest_known_product(site.id))
    cursors = [dict(cursor) for cursor in facts.cursors]
    jobs = [steps.list_job(run.id, site.id, run.priority, cursor, claim.request_id) for cursor in cursors]

    def record() -> None:
        execute(
            "UPDATE rm_sync_runs SET pages_total = %s, items_total = %s, fewest_calls = %s, skipped = %s,"
            " updated_at = now() WHERE id = %s",
            (
                facts.pages,
                facts.products,
                facts.pages,
                json.dumps({"other_channel": facts.outside} if facts.outside else {}),
                run.id,
            ),
        )
        _remember(site, dict(facts.details))

    return Done(jobs=jobs, result={"cursors": cursors}, record=record)


def _begin(claim: Claim) -> None:
    """queued -> running, unless the refresh has done it; only one run of a site runs at a time."""
    begun = execute(
        """
        UPDATE rm_sync_runs SET status = 'running', started_at = coalesce(started_at, now()),
            list_started_at = now(), updated_at = now()
        WHERE id = %s AND status IN ('queued', 'running') AND NOT EXISTS (
            SELECT FROM rm_sync_runs o WHERE o.site_id = %s AND o.status = 'running' AND o.id <> %s)
        """,
        (claim.run_id, claim.site_id, claim.run_id),
    )
    ahead = row(
        "SELECT id FROM rm_sync_runs WHERE site_id = %s AND status = 'running' AND id <> %s",
        (claim.site_id, claim.run_id),
    )
    if not begun and ahead:
        raise MustWait(BEHIND_SECONDS, f"sync run {ahead[0]} of this site is running")


def _highest_known_product(site_id: int) -> int | None:
    found = row("SELECT max(product_id) FROM rm_items WHERE site_id = %s", (site_id,))
    return None if found is None else found[0]


def _remember(site: Site, details: dict[str, object]) -> None:
    if details != site.details:
        # Not updated_at: that names the configuration which a kept-alive client was made from.
        execute("UPDATE rm_sites SET details = %s WHERE id = %s", (json.dumps(details), site.id))
