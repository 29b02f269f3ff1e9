"""The hourly look at every site's webhooks: what the vendor disabled comes back, and a sync follows.

PostgreSQL decides which are due, once a site and hour, however many dispatchers ask; sites are spread over the hour.
"""

from __future__ import annotations

import structlog

from models.database import rows, session
from models.site import Site
from workers import ledger
from workers.connections import site_client
from workers.jobs import SYNC, Done, NewJob, Priority, Work
from workers.webhooks import registration

log = structlog.get_logger()

KIND = "webhooks.check"
PERIOD_SECONDS = 3600
SPREAD = 1373  # seconds between two neighbouring ids; shares no factor with the period, so all of it is used
MOST_AT_ONCE = 500  # of one look; the next is a few seconds later

# A site's hour begins at a second of its own. One that was looked at within it, by whomever, waits for the next;
# where the last look still waits for a shop that is down, another would only wait beside it.
_DUE = f"""
    WITH hours AS (
        SELECT id, webhooks_checked_at, mod(id::bigint * {SPREAD}, {PERIOD_SECONDS}) AS shift,
               extract(epoch FROM clock_timestamp())::bigint AS moment
        FROM rm_sites WHERE active AND webhooks ? '{registration.REGISTERED}'
    ), slots AS (
        SELECT id, webhooks_checked_at, shift, (moment - shift) / {PERIOD_SECONDS} AS slot FROM hours
    )
    SELECT id, '{KIND}:' || id || ':' || slot FROM slots
    WHERE (webhooks_checked_at IS NULL OR webhooks_checked_at < to_timestamp(slot * {PERIOD_SECONDS} + shift))
      AND NOT EXISTS (SELECT FROM rm_queue q WHERE q.queue = '{SYNC}' AND q.site_id = slots.id
                      AND q.status = 'pending' AND q.kind = '{KIND}')
      AND NOT EXISTS (SELECT FROM rm_queue q WHERE q.unique_key = '{KIND}:' || slots.id || ':' || slot)
    ORDER BY id LIMIT {MOST_AT_ONCE}
"""


def begin() -> int:
    """Insert the jobs of the sites that are due; gives how many. The unique key makes two dispatchers agree."""
    with ledger.committing():
        due = rows(_DUE)
        inserted = ledger.insert(
            [
                NewJob(kind=KIND, priority=Priority.NIGHT, site_id=site_id, unique_key=key)
                for site_id, key in due
            ]
        )
    return len(inserted)


def check(work: Work) -> Done:
    """Look at one site's registrations, and repair what is disabled or missing.

    Stale ones of ours are left for a person's `register`: another installation may be using them.
    """
    with session():
        site = Site.get_by_id(work.claim.site_id)
    if not site.active:
        return Done(result={"skipped": "the site is not active"})
    with registration.locked(site.id):
        site = registration.prepared(site.id)
        with site_client(site, work) as client:
            report = registration.work_on(
                site, client.hooks(), remove_stale=False, request_id=work.claim.request_id
            )
    if report.restored or report.created:
        log.warning("webhooks had stopped", action=KIND, restored=report.restored, created=report.created)
    return Done(
        result={
            "kept": len(report.kept),
            "restored": list(report.restored),
            "created": list(report.created),
            "sync_run_id": report.sync_run_id,
        }
    )
