"""Which nights are due. PostgreSQL decides: each local date of a schedule is inserted once, by whoever is first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from models.database import DatabaseUnavailable, execute, row, rows
from models.setting import SETTINGS
from workers import clock, ledger, nights, site_nights
from workers.database_errors import retried
from workers.full_sync.requests import request_night
from workers.jobs import NewJob, Priority
from workers.nights import MISSED, STARTED, Decision, Past

log = structlog.get_logger()

FULL_SYNC = "full_sync"
CLEANUP = "cleanup"
TIME_SETTINGS = {FULL_SYNC: "full_sync_time", CLEANUP: "cleanup_time"}
"""Each schedule, and the setting that holds its time of day."""


@dataclass(frozen=True, slots=True)
class State:
    """A schedule as it was last seen (models/schedule.py)."""

    zone: str
    time: str
    since: datetime
    last_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule as the settings have it now. changed: when each key was last changed, if ever."""

    zone: str
    time: str
    latest: timedelta
    changed: dict[str, datetime]


def check(now: datetime | None = None) -> list[str]:
    """Begin what is due and undecided; gives the names of what was begun: schedules, and `site N`."""
    now = now or clock.now()
    begun = []
    for name in TIME_SETTINGS:
        try:
            if _anything_to_do(name, now):
                begun += _decide(name, now)
        except DatabaseUnavailable:
            raise
        except Exception:  # one schedule's trouble must not keep the other from its night
            log.exception("a schedule could not be looked at", action="schedule", schedule=name)
    return begun


def state_of(name: str, *, lock: bool = False) -> State | None:
    """A schedule as it was last seen. None: never looked at; with `lock` also while somebody else decides."""
    found = row(
        "SELECT zone, time, since, last_due_at FROM rm_schedules WHERE name = %s"
        + (" FOR UPDATE SKIP LOCKED" if lock else ""),
        (name,),
    )
    return None if found is None else State(*found)


def wanted(name: str) -> Wanted:
    """What the settings say of a schedule."""
    key = TIME_SETTINGS[name]
    stored = {
        found: (value, updated_at)
        for found, value, updated_at in rows(
            "SELECT key, value, updated_at FROM rm_settings WHERE key = ANY (%s)",
            (["timezone", key, "schedule_latest_minutes"],),
        )
    }

    def value(of: str) -> Any:
        return stored[of][0] if of in stored else SETTINGS[of].default

    return Wanted(
        value("timezone"),
        value(key),
        timedelta(minutes=value("schedule_latest_minutes")),
        {found: updated_at for found, (_, updated_at) in stored.items()},
    )


def past_of(name: str, state: State) -> Past:
    """What has been decided of a schedule."""
    found = row(
        "SELECT local_date, due_at FROM rm_schedule_log WHERE schedule = %s ORDER BY local_date DESC LIMIT 1",
        (name,),
    )
    day, due = found or (None, None)
    return Past(day, due, state.last_due_at)


def _anything_to_do(name: str, now: datetime) -> bool:
    """A look without a lock: nearly always there is nothing, and the fleet looks every few seconds."""
    state, settings = state_of(name), wanted(name)
    if state is None or (state.zone, state.time) != (settings.zone, settings.time):
        return True
    return bool(_undecided(name, state, now)) or (
        name == FULL_SYNC and any(site_nights.due(state.zone, state.since, now))
    )


def _undecided(name: str, state: State, until: datetime) -> list[nights.Occasion]:
    at, zone = time.fromisoformat(state.time), ZoneInfo(state.zone)
    return nights.undecided(past_of(name, state), state.since, until, at, zone)


@retried
def _decide(name: str, now: datetime) -> list[str]:
    """Decide all that is due of one schedule, with what it begins, in one transaction."""
    with ledger.committing():
        settings = wanted(name)
        execute(
            "INSERT INTO rm_schedules (name, zone, time, since) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (name, settings.zone, settings.time, now),
        )
        state = state_of(name, lock=True)
        if state is None:  # somebody is deciding just now
            return []
        settings = wanted(name)  # again, under the lock: an old answer must not take a change back
        begun: list[str] = []
        if (state.zone, state.time) != (settings.zone, settings.time):
            changed_at = _changed_at(name, state, settings, now)
            # What came due before the change is owed under the old setting, also after an outage; so are the nights
            # of sites with a time of their own, which for the same reason may begin to count anew.
            begun += _carry_out(name, state, changed_at, now, settings.latest)
            execute(
                "UPDATE rm_schedules SET zone = %s, time = %s, since = %s WHERE name = %s",
                (settings.zone, settings.time, changed_at, name),
            )
            moved = state_of(name)
            assert moved is not None
            state = moved
        return begun + _carry_out(name, state, now, now, settings.latest)


def _changed_at(name: str, state: State, settings: Wanted, now: datetime) -> datetime:
    differing = [
        key
        for key, before, after in (
            ("timezone", state.zone, settings.zone),
            (TIME_SETTINGS[name], state.time, settings.time),
        )
        if before != after
    ]
    known = [settings.changed[key] for key in differing if key in settings.changed]
    return max(min(max(known, default=now), now), state.since)


def _carry_out(name: str, state: State, until: datetime, now: datetime, latest: timedelta) -> list[str]:
    past = past_of(name, state)
    decided = nights.decide(_undecided(name, state, until), past, now, latest)
    _insert(name, decided, now)
    _tell_missed(name, decided)
    started = next((decision.occasion for decision in decided if decision.outcome == STARTED), None)
    if started is not None:
        execute("UPDATE rm_schedules SET last_due_at = %s WHERE name = %s", (started.due, name))
        log.info("schedule due", action="schedule", schedule=name, local_date=str(started.day))
    begun = [name] if started is not None else []
    if name == CLEANUP:
        if started is not None:
            ledger.insert([NewJob(kind="maintenance.cleanup", priority=Priority.NIGHT)])
        return begun
    together = site_nights.begin_common(started, now) if started is not None else []
    alone = site_nights.begin_own(state.zone, state.since, until, now, latest)
    # In one go, so that sites of one company share a read of BC whether their time is the common one or their own.
    request_night([*together, *alone])
    return begun + [f"site {site_id}" for site_id in alone]


def _insert(name: str, decided: Iterable[Decision], now: datetime) -> None:
    # No ON CONFLICT: under the lock nobody else can have decided one; if it were otherwise, nothing may begin.
    for decision in decided:
        execute(
            "INSERT INTO rm_schedule_log (schedule, local_date, due_at, decided_at, outcome)"
            " VALUES (%s, %s, %s, %s, %s)",
            (name, decision.occasion.day, decision.occasion.due, now, decision.outcome),
        )


def _tell_missed(name: str, decided: Iterable[Decision]) -> None:
    missed = [decision.occasion for decision in decided if decision.outcome == MISSED]
    if missed:
        log.warning(
            "schedule missed",
            action="schedule",
            schedule=name,
            nights=len(missed),
            first=str(missed[0].day),
            last=str(missed[-1].day),
        )
