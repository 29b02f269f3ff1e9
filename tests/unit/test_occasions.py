"""When a local time of day comes, also on the days on which the clock jumps."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.nights import due_moment

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]


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


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2024, 1, 1), date(2028, 1, 1)),
    at=st.times().map(lambda value: value.replace(second=0, microsecond=0)),
)
def test_two_days_never_share_a_moment(zone: str, day: date, at: time) -> None:
    place = ZoneInfo(zone)

    assert due_moment(day, at, place) < due_moment(day + timedelta(days=1), at, place)
