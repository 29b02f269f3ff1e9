"""The nights of sites: at the common time, or at a time of their own. Called under the schedule's lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from models.database import execute, rows
from workers import nights
from workers.nights import LEAST_GAP, MISSED, STARTED, Occasion, Past

log = structlog.get_logger()

# `due_at` of a night that was too soon counts as decided, but not as a run.
_OWN = """
    SELECT s.id, s.full_sync_time, s.full_sync_since, l.day, l.due, l.started
    FROM rm_sites s CROSS JOIN LATERAL (
        SELECT max(local_date) AS day, max(due_at) AS due, max(due_at) FILTER (WHERE outcome = 'started') AS started
        FROM rm_site_schedule_log WHERE site_id = s.id) l
    WHERE s.active AND s.full_sync_enabled AND s.full_sync_time IS NOT NULL
      AND (%(site)s::int IS NULL OR s.id = %(site)s)
    ORDER BY s.id
"""
# Locked, so that a site can't be deleted between here and its run.
_COMMON = """
    INSERT INTO rm_site_schedule_log (site_id, local_date, due_at, decided_at, outcome)
    SELECT s.id, %(day)s, %(due)s, %(now)s, CASE WHEN EXISTS (
        SELECT FROM rm_site_schedule_log l
        WHERE l.site_id = s.id AND l.outcome = 'started' AND l.due_at > %(due)s - %(gap)s)
        THEN 'too_soon' ELSE 'started' END
    FROM rm_sites s
    WHERE s.active AND s.full_sync_enabled AND s.full_sync_time IS NULL AND s.full_sync_since < %(due)s
    ORDER BY s.id FOR KEY SHARE OF s
    ON CONFLICT DO NOTHING RETURNING site_id, outcome
"""
_DECIDE = """
    INSERT INTO rm_site_schedule_log (site_id, local_date, due_at, decided_at, outcome)
    SELECT id, %(day)s, %(due)s, %(now)s, %(outcome)s FROM rm_sites WHERE id = %(site)s AND active FOR KEY SHARE
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Own:
    """A site with a time of its own. since: nights before it don't count."""

    site_id: int
    at: time
    since: datetime
    past: Past

    def undecided(self, zone: ZoneInfo, since: datetime, until: datetime) -> list[Occasion]:
        """Its nights that have come and that nobody has decided yet."""
        return nights.undecided(self.past, max(self.since, since), until, self.at, zone)


def own(only: int | None = None) -> list[Own]:
    """The active sites with a time of their own; or only this one, if it has."""
    return [
        Own(site_id, time.fromisoformat(at), since, Past(*decided))
        for site_id, at, since, *decided in rows(_OWN, {"site": only})
    ]


def due(zone_name: str, since: datetime, until: datetime) -> Iterator[int]:
    """The sites with a time of their own that have an undecided night."""
    zone = ZoneInfo(zone_name)
    return (site.site_id for site in own() if site.undecided(zone, since, until))


def begin_common(night: Occasion, now: datetime) -> list[int]:
    """Decide the common night of each site without a time of its own; gives the sites to sync."""
    found = rows(_COMMON, {"day": night.day, "due": night.due, "now": now, "gap": LEAST_GAP})
    return sorted(site_id for site_id, outcome in found if outcome == STARTED)


def begin_own(
    zone_name: str, since: datetime, until: datetime, now: datetime, latest: timedelta
) -> list[int]:
    """Decide the nights of the sites with a time of their own; gives the sites to sync."""
    zone = ZoneInfo(zone_name)
    begun: list[int] = []
    missed: list[int] = []
    for site in own():
        for decision in nights.decide(site.undecided(zone, since, until), site.past, now, latest):
            inserted = execute(
                _DECIDE,
                {
                    "site": site.site_id,
                    "day": decision.occasion.day,
                    "due": decision.occasion.due,
                    "now": now,
                    "outcome": decision.outcome,
                },
            )
            if inserted and decision.outcome == STARTED:
                begun.append(site.site_id)
            elif inserted and decision.outcome == MISSED and site.site_id not in missed:
                missed.append(site.site_id)
    if missed:
        log.warning("schedule missed", action="schedule", schedule="full_sync", sites=missed)
    return begun
