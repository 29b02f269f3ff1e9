"""When a local time of day comes, and what becomes of each: begun, too soon after the last, or missed.

Pure rules; workers/occasions.py carries them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LEAST_GAP = timedelta(hours=20)  # a change of zone or time must not give a second run in one night
MOST_DAYS = 366  # of a silence are told; what lay before it helps nobody

STARTED = "started"
TOO_SOON = "too_soon"
MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Occasion:
    """A local date on which something is to be done, and the moment (UTC) from which on it is due."""

    day: date
    due: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an occasion: started, too_soon or missed."""

    occasion: Occasion
    outcome: str


@dataclass(frozen=True, slots=True)
class Past:
    """What has been decided: the newest local date with its moment, and the moment of the last that was begun."""

    day: date | None = None
    due: datetime | None = None
    started: datetime | None = None


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


def occasions(after: datetime, until: datetime, at: time, zone: ZoneInfo) -> list[Occasion]:
    """The occasions that come due after one moment and until another, oldest first."""
    last = until.astimezone(zone).date()
    # One day earlier than it seems: a time that the clock skips at midnight comes due on the next date.
    day = max(after.astimezone(zone).date() - timedelta(days=1), last - timedelta(days=MOST_DAYS))
    found = []
    while day <= last:
        due = due_moment(day, at, zone)
        if after < due <= until and _exists(day, due, zone):
            found.append(Occasion(day, due))
        day += timedelta(days=1)
    return found


def _exists(day: date, due: datetime, zone: ZoneInfo) -> bool:
    """False for a date that the place never had: it moved to the other side of the date line."""
    if due.astimezone(zone).date() == day:
        return True
    midnight = due_moment(day, time.min, zone)
    return midnight != due_moment(day + timedelta(days=1), time.min, zone)


def undecided(past: Past, since: datetime, until: datetime, at: time, zone: ZoneInfo) -> list[Occasion]:
    """The occasions after `since` that have come until now, and of which nobody has decided yet."""
    after = since if past.due is None else max(since, past.due)
    return [found for found in occasions(after, until, at, zone) if past.day is None or found.day > past.day]


def decide(found: Sequence[Occasion], past: Past, now: datetime, latest: timedelta) -> list[Decision]:
    """What becomes of each undecided occasion. At most one begins, the newest: it does the others' work."""
    decisions = []
    for occasion in found:
        if too_soon(occasion, past):
            outcome = TOO_SOON
        elif now - occasion.due > latest or occasion is not found[-1]:
            outcome = MISSED
        else:
            outcome = STARTED
        decisions.append(Decision(occasion, outcome))
    return decisions


def too_soon(occasion: Occasion, past: Past) -> bool:
    """Whether the last that was begun is less than 20 h before it."""
    return past.started is not None and occasion.due - past.started < LEAST_GAP


def next_due(past: Past, since: datetime, now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """When it will begin next, if nothing changes. Never more than a few days away, whatever the clock does."""
    until = now + timedelta(days=4)
    return next(
        found.due for found in undecided(past, max(since, now), until, at, zone) if not too_soon(found, past)
    )
