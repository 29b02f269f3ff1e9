"""What `inventory-sync doctor` says of the schedule: the next night, one that was missed, one that nobody begins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from api.commands.finding import Finding
from workers import timetable
from workers.timetable import Line, SiteLine

NAMES = {"full_sync": "nightly full sync", "cleanup": "daily clean-up"}
CATCH_UP = {
    "full_sync": "run `inventory-sync sync all`",
    "cleanup": "nothing has to be done, the next one deletes what this one would have",
}
SEE_DISPATCHER = "see that a dispatcher runs, and a scheduler (`inventory-sync up` runs them all)"


def check_schedule(now: datetime | None = None) -> Iterator[Finding]:
    """Each night begins, and the last was not missed."""
    zone = None
    for line in timetable.schedules(now):
        zone = ZoneInfo(line.zone)
        yield _schedule(line, zone)
    assert zone is not None
    yield from _sites(list(timetable.own_sites(now)), zone)


def _schedule(line: Line, zone: ZoneInfo) -> Finding:
    name = NAMES[line.name]
    following = f"{_last_begun(line, zone)}the next is due at {_local(line.next_due_at, zone)}"
    if line.overdue_since is not None:
        message = f"has been due since {_local(line.overdue_since, zone)} and nobody has begun it"
        return Finding(name, "problem", message, SEE_DISPATCHER)
    if line.last is not None and line.last.outcome == "missed":
        message = f"that of {line.last.local_date} was missed: nothing looked for it in time; {following}"
        return Finding(name, "warning", message, f"{CATCH_UP[line.name]}; {SEE_DISPATCHER}")
    return Finding(name, "ok", following)


def _last_begun(line: Line, zone: ZoneInfo) -> str:
    begun = next((night for night in line.recent if night.outcome == "started"), None)
    return f"the last began at {_local(begun.decided_at, zone)}; " if begun is not None else ""


def _sites(lines: list[SiteLine], zone: ZoneInfo) -> Iterator[Finding]:
    for line in lines:
        if line.last is not None and line.last.outcome == "missed" and line.enabled:
            fix = f"run `inventory-sync sync {line.site_id}`; {SEE_DISPATCHER}"
            yield Finding(f"full sync of {line.name}", "warning", _missed(line, zone), fix)


def _missed(line: SiteLine, zone: ZoneInfo) -> str:
    assert line.last is not None
    following = f"; the next is due at {_local(line.next_due_at, zone)}" if line.next_due_at else ""
    return f"that of {line.last.local_date} was missed: nothing looked for it in time{following}"


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
