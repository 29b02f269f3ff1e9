"""Which nights are due. PostgreSQL decides: each local date of a schedule is inserted once, by whoever is first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from models import setting
from models.database import execute, row
from workers import clock, ledger
from workers.full_sync.requests import request_sync_all
from workers.jobs import NewJob, Priority

log = structlog.get_logger()

LEAST_GAP = timedelta(hours=20)  # a change of zone or time must not give a second run in one night


@dataclass(frozen=True, slots=True)
class _Schedule:
    name: str
    time_setting: str
    begin: Callable[[], None]


def _begin_full_sync() -> None:
    request_sync_all(requested_by="schedule", priority=Priority.NIGHT)


def _begin_cleanup() -> None:
    ledger.insert([NewJob(kind="maintenance.cleanup", priority=Priority.NIGHT)])


SCHEDULES = (
    _Schedule("full_sync", "full_sync_time", _begin_full_sync),
    _Schedule("cleanup", "cleanup_time", _begin_cleanup),
)


def due_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When a local time of day comes on a date, in UTC.

    A time that comes twice means its first; one that the clock skips means the first instant after the gap.
    """
    naive = datetime.combine(day, at)
    early = (naive - _offset(naive, zone, fold=1)).replace(tzinfo=UTC)
    late = (naive - _offset(naive, zone, fold=0)).replace(tzinfo=UTC)
    if late <= early:  # an ordinary day, or a time that comes twice: fold 0 is the first
        return late
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def _offset(naive: datetime, zone: ZoneInfo, *, fold: int) -> timedelta:
    offset = naive.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None
    return offset


def check(now: datetime | None = None) -> list[str]:
    """Begin what is due and undecided; gives the names of what was begun."""
    now = now or clock.now()
    settings = setting.read_all()
    zone_name = settings["timezone"]
    return [s.name for s in SCHEDULES if _check(s, zone_name, settings[s.time_setting], now)]


def _check(schedule: _Schedule, zone_name: str, at: str, now: datetime) -> bool:
    since = _since(schedule.name, zone_name, at, now)
    zone = ZoneInfo(zone_name)
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        due = due_moment(day, time.fromisoformat(at), zone)
        if since < due <= now and _decide(schedule, day, due):
            return True
    return False


def _since(name: str, zone_name: str, at: str, now: datetime) -> datetime:
    """From when on occasions count: the first look, or the change of the zone or the time."""
    found = row(
        """
        INSERT INTO rm_schedules AS s (name, zone, time, since) VALUES (%s, %s, %s, %s)
        ON CONFLICT (name) DO UPDATE SET
            since = CASE WHEN (s.zone, s.time) IS DISTINCT FROM (excluded.zone, excluded.time)
                         THEN excluded.since ELSE s.since END,
            zone = excluded.zone, time = excluded.time
        RETURNING since
        """,
        (name, zone_name, at, now),
    )
    assert found is not None
    since: datetime = found[0]
    return since


def _decide(schedule: _Schedule, day: date, due: datetime) -> bool:
    """Decide one local date, with what it begins, in one transaction. False: decided before."""
    with ledger.committing():
        last = row("SELECT last_due_at FROM rm_schedules WHERE name = %s FOR UPDATE", (schedule.name,))
        too_soon = last is not None and last[0] is not None and due - last[0] < LEAST_GAP
        decided = execute(
            "INSERT INTO rm_schedule_log (schedule, local_date, due_at, outcome) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (schedule.name, day, due, "too_soon" if too_soon else "started"),
        )
        if not decided or too_soon:
            return False
        execute("UPDATE rm_schedules SET last_due_at = %s WHERE name = %s", (due, schedule.name))
        schedule.begin()
    log.info("schedule due", action="schedule", schedule=schedule.name, local_date=str(day))
    return True
