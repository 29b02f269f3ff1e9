"""When a local time of day comes, also on the days on which the clock jumps, and what becomes of each night."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.full_sync import spread
from workers.nights import MISSED, STARTED, TOO_SOON, Past, decide, due_moment, next_due, occasions, undecided

ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # had no 30 December 2011
    "Pacific/Kwajalein",  # had no 21 August 1993
    "America/Scoresbysund",  # springs forward at midnight
    "Asia/Beirut",
    "Antarctica/Troll",  # two hours
]
LATEST = timedelta(minutes=240)
MINUTE = timedelta(minutes=1)
times = st.times().map(lambda value: value.replace(second=0, microsecond=0))


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("UTC", "2026-03-29", "02:00", "2026-03-29T02:00"),
        ("Europe/Paris", "2026-07-01", "02:00", "2026-07-01T00:00"),
        ("Europe/Paris", "2026-03-29", "02:00", "2026-03-29T01:00"),  # 2:00 is skipped: 3:00 summer time
        ("Europe/Paris", "2026-03-29", "02:30", "2026-03-29T01:00"),
        ("Europe/Paris", "2026-10-25", "02:00", "2026-10-25T00:00"),  # comes twice: the first
        ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30"),
    ],
)
def test_a_time_of_day_comes_once_a_day(zone: str, day: str, at: str, expected: str) -> None:
    found = due_moment(date.fromisoformat(day), time.fromisoformat(at), ZoneInfo(zone))

    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(zone=st.sampled_from(ZONES), day=st.dates(date(2024, 1, 1), date(2028, 1, 1)), at=times)
def test_two_days_never_share_a_moment(zone: str, day: date, at: time) -> None:
    place = ZoneInfo(zone)

    assert due_moment(day, at, place) < due_moment(day + timedelta(days=1), at, place)


def test_a_date_that_a_place_never_had_has_no_night() -> None:
    apia = ZoneInfo("Pacific/Apia")
    found = occasions(datetime(2011, 12, 28, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC), time(2), apia)

    assert [night.day.isoformat() for night in found] == [
        "2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02",
    ]  # fmt: skip


def test_a_time_that_is_skipped_at_midnight_still_belongs_to_its_date() -> None:
    place = ZoneInfo("America/Scoresbysund")  # on 29 March 2025 it was 23:00, and then the 30th
    found = occasions(
        datetime(2025, 3, 29, tzinfo=UTC), datetime(2025, 3, 30, 12, tzinfo=UTC), time(23, 30), place
    )

    assert found[-1].day == date(2025, 3, 29)
    assert found[-1].due.astimezone(place).isoformat() == "2025-03-30T00:00:00-01:00"


def _dates(place: ZoneInfo, after: datetime, until: datetime, at: time) -> dict[date, datetime]:
    """date -> due, of all dates that `place` lived through between two moments; found hour by hour."""
    lived = set()
    moment = after - timedelta(days=2)
    while moment <= until + timedelta(days=2):
        lived.add(moment.astimezone(place).date())
        moment += timedelta(hours=1)
    dues = {day: due_moment(day, at, place) for day in lived}
    return {day: due for day, due in dues.items() if after < due <= until}


@given(
    zone=st.sampled_from(ZONES),
    at=times,
    since=st.integers(0, 50 * 365 * 24 * 60).map(
        lambda minutes: datetime(1990, 1, 1, tzinfo=UTC) + minutes * MINUTE
    ),
    gaps=st.lists(
        st.one_of(st.integers(1, 30), st.integers(30, 600), st.integers(600, 9000)), min_size=1, max_size=40
    ),
    latest=st.integers(10, 1380).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_each_date_has_one_outcome_in_any_year_and_zone_however_often_somebody_looks(
    zone: str, at: time, since: datetime, gaps: list[int], latest: timedelta
) -> None:
    place = ZoneInfo(zone)
    looks = [since]
    for gap in gaps:
        looks.append(looks[-1] + gap * MINUTE)
    past, outcomes = Past(), list[tuple[date, str]]()

    for now in looks:
        for decision in decide(undecided(past, since, now, at, place), past, now, latest):
            night = decision.occasion
            started = night.due if decision.outcome == STARTED else past.started
            past = Past(night.day, night.due, started)
            outcomes.append((night.day, decision.outcome))

    expected = _dates(place, since, looks[-1], at)
    assert [day for day, _ in outcomes] == sorted(expected)
    for day, outcome in outcomes:
        looked = next(now for now in looks if now >= expected[day])
        newest = max(other for other, due in expected.items() if due <= looked) == day
        assert outcome == (STARTED if looked - expected[day] <= latest and newest else MISSED)


def test_a_night_within_twenty_hours_of_the_last_is_too_soon_and_does_not_move_the_last() -> None:
    past = Past(date(2026, 6, 1), datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC))
    found = occasions(
        datetime(2026, 6, 1, 13, tzinfo=UTC),
        datetime(2026, 6, 2, 8, tzinfo=UTC),
        time(7, 59),
        ZoneInfo("UTC"),
    )

    assert [one.outcome for one in decide(found, past, datetime(2026, 6, 2, 8, tzinfo=UTC), LATEST)] == [
        TOO_SOON
    ]


def test_of_two_nights_that_are_both_in_time_the_newer_begins() -> None:
    paris = ZoneInfo("Europe/Paris")
    now = due_moment(date(2026, 3, 30), time(2), paris)  # 23 hours after the night before
    found = occasions(now - timedelta(hours=25), now, time(2), paris)

    decided = decide(found, Past(), now, timedelta(minutes=1380))

    assert [one.outcome for one in decided] == [MISSED, STARTED]


def test_the_next_night_is_the_first_that_is_neither_decided_nor_too_soon() -> None:
    now = datetime(2026, 6, 1, 13, tzinfo=UTC)
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    utc = ZoneInfo("UTC")

    assert next_due(Past(), noon, now, time(14), utc) == datetime(2026, 6, 1, 14, tzinfo=UTC)
    decided = Past(date(2026, 6, 1), noon, None)
    assert next_due(decided, noon, now, time(14), utc) == datetime(2026, 6, 2, 14, tzinfo=UTC)
    begun = Past(date(2026, 6, 1), noon, noon)
    assert next_due(begun, noon, now, time(7), utc) == datetime(2026, 6, 3, 7, tzinfo=UTC)


def test_a_few_sites_begin_at_once() -> None:
    assert set(spread.places(spread.AT_ONCE)) == {0.0}


@given(st.integers(0, 3000))
def test_sites_are_spread_evenly_and_never_for_longer_than_the_window(number: int) -> None:
    waits = spread.places(number)

    assert len(waits) == number
    assert waits.count(0.0) == min(number, spread.AT_ONCE)
    assert waits == sorted(waits)
    assert not waits or waits[-1] <= spread.LONGEST_SECONDS + 1e-6
    steps = [later - sooner for sooner, later in pairwise(waits)][spread.AT_ONCE :]
    assert all(0 < step <= spread.SECONDS_EACH + 1e-6 for step in steps)
    assert not steps or max(steps) - min(steps) < 1e-6
