"""What the schedule will do next, and what became of its last nights: for the API and the doctor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from models.database import rows
from models.site import Site
from workers import clock, nights, occasions, site_nights
from workers.nights import Past
from workers.occasions import FULL_SYNC, TIME_SETTINGS

RECENT = 14  # decided nights of a schedule that are shown
OVERDUE = timedelta(minutes=5)  # a dispatcher looks every quarter of a minute


@dataclass(frozen=True, slots=True)
class Night:
    """A decided night. outcome: started, too_soon or missed."""

    local_date: date
    due_at: datetime
    decided_at: datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class Line:
    """One schedule. recent: newest first. overdue_since: due so long that nobody can be looking."""

    name: str
    zone: str
    time: str
    next_due_at: datetime
    overdue_since: datetime | None
    recent: Sequence[Night]

    @property
    def last(self) -> Night | None:
        """The newest decided night."""
        return self.recent[0] if self.recent else None


@dataclass(frozen=True, slots=True)
class SiteLine:
    """An active site that doesn't follow the common schedule. next_due_at: None where its nights are off."""

    site_id: int
    name: str
    enabled: bool
    time: str | None
    next_due_at: datetime | None
    last: Night | None


def schedules(now: datetime | None = None) -> Iterator[Line]:
    """Every schedule, as the settings have it now."""
    now = now or clock.now()
    for name in TIME_SETTINGS:
        settings, state = occasions.wanted(name), occasions.state_of(name)
        past, since = Past(), now
        if state is not None:
            past = occasions.past_of(name, state)
            # Where the setting was changed a moment ago and nobody has looked since, nights count from now on.
            since = state.since if (state.zone, state.time) == (settings.zone, settings.time) else now
        at, zone = time.fromisoformat(settings.time), ZoneInfo(settings.zone)
        waiting = nights.undecided(past, since, now, at, zone)
        yield Line(
            name,
            settings.zone,
            settings.time,
            nights.next_due(past, since, now, at, zone),
            waiting[0].due if waiting and now - waiting[0].due > OVERDUE else None,
            [Night(*night) for night in rows(_RECENT, (name, RECENT))],
        )


def own_sites(now: datetime | None = None) -> Iterator[SiteLine]:
    """The active sites that have a time of their own, or no nights."""
    due = _own_nights(now or clock.now())
    for site_id, name, enabled, at, *night in rows(_SITES):
        last = Night(*night) if night[0] is not None else None
        yield SiteLine(site_id, name, enabled, at, due.get(site_id), last)


def next_of(site: Site, now: datetime | None = None) -> datetime | None:
    """When a site's next nightly full sync is due; None: it has none."""
    now = now or clock.now()
    if not site.active or not site.full_sync_enabled:
        return None
    if site.full_sync_time is not None:
        return _own_nights(now, site.id).get(site.id)
    return next(line.next_due_at for line in schedules(now) if line.name == FULL_SYNC)


def _own_nights(now: datetime, only: int | None = None) -> dict[int, datetime]:
    """Site -> when its own next night is due."""
    settings, state = occasions.wanted(FULL_SYNC), occasions.state_of(FULL_SYNC)
    zone = ZoneInfo(settings.zone)
    since = state.since if state is not None and state.zone == settings.zone else now
    return {
        site.site_id: nights.next_due(site.past, max(site.since, since), now, site.at, zone)
        for site in site_nights.own(only)
    }


_RECENT = """
    SELECT local_date, due_at, decided_at, outcome FROM rm_schedule_log
    WHERE schedule = %s ORDER BY local_date DESC LIMIT %s
"""
_SITES = """
    SELECT s.id, s.name, s.full_sync_enabled, s.full_sync_time, l.local_date, l.due_at, l.decided_at, l.outcome
    FROM rm_sites s LEFT JOIN LATERAL (
        SELECT local_date, due_at, decided_at, outcome FROM rm_site_schedule_log
        WHERE site_id = s.id ORDER BY local_date DESC LIMIT 1) l ON true
    WHERE s.active AND (s.full_sync_time IS NOT NULL OR NOT s.full_sync_enabled) ORDER BY s.id
"""
