"""What becomes of a night while nobody looks: caught up, or missed and said so, each date once."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.company import Company
from models.database import execute, rows
from tests.integration.schedule.nights import (
    change,
    check_at,
    end_runs,
    local,
    outcomes,
    site,
    site_outcomes,
    start_anew,
    utc,
)
from workers import occasions
from workers.nights import due_moment

# Zone before, zone after, when it was changed, and the next night after that, all in UTC.
MOVES = [
    # 02:00 in New York is 06:00 UTC; in Paris it comes at 00:00 UTC, 18 hours later: the night after.
    ("America/New_York", "Europe/Paris", "2026-06-02 12:00", "2026-06-04 00:00"),
    ("Europe/Paris", "America/New_York", "2026-06-02 12:00", "2026-06-03 06:00"),
    # A few minutes after it has begun in Paris, it is the evening before in New York.
    ("Europe/Paris", "America/New_York", "2026-06-02 00:05", "2026-06-03 06:00"),
    ("UTC", "Europe/Paris", "2026-06-02 12:00", "2026-06-03 00:00"),
]
ZONES = ["Europe/Paris", "America/New_York", "UTC"]
# Both changes of the clock in New York and in Paris, and a night like any other.
NIGHTS = ["2026-03-08", "2026-03-29", "2026-06-02", "2026-10-25", "2026-11-01"]


def test_down_at_two_and_back_at_two_forty_the_night_is_caught_up(owner: Company) -> None:
    site_id = site(owner, "outlet")
    for zone, night in product(ZONES, NIGHTS):
        _caught_up(zone, night, site_id)


def _caught_up(zone: str, night: str, site_id: int) -> None:
    start_anew()
    change(utc("2026-01-01 00:00"), timezone=zone)
    check_at([local(zone, f"{night} 00:30")])

    assert check_at([local(zone, f"{night} 02:40")]).keys() >= {"full_sync"}
    assert check_at([local(zone, f"{night} 02:41"), local(zone, f"{night} 02:40", fold=1)]).keys() <= {
        "cleanup"
    }
    assert outcomes() == {night: "started"}
    assert site_outcomes(site_id) == {night: "started"}


def test_back_at_noon_the_night_is_missed_once_with_a_warning_and_the_next_one_begins(owner: Company) -> None:
    site_id = site(owner, "outlet")
    for zone, night in product(ZONES, NIGHTS):
        _missed(zone, night, site_id)


def _missed(zone: str, night: str, site_id: int) -> None:
    start_anew()
    change(utc("2026-01-01 00:00"), timezone=zone)
    check_at([local(zone, f"{night} 00:30")])

    with structlog.testing.capture_logs() as logs:
        assert check_at([local(zone, f"{night} 12:00"), local(zone, f"{night} 12:01")]) == {}

    told = {(line["schedule"], line["first"], line["log_level"]) for line in logs}
    assert told == {("full_sync", night, "warning"), ("cleanup", night, "warning")}
    assert len(logs) == 2
    assert outcomes() == outcomes("cleanup") == {night: "missed"}
    assert end_runs() == []
    following = str(date.fromisoformat(night) + timedelta(days=1))
    assert "full_sync" in check_at([local(zone, f"{following} 02:00")])
    assert (outcomes()[following], end_runs()) == ("started", [site_id])


def test_the_setting_says_how_late_is_too_late(database: str) -> None:
    change(utc("2026-06-01 00:00"), schedule_latest_minutes=10)
    check_at([utc("2026-06-01 20:00")])

    check_at([utc("2026-06-02 02:10"), utc("2026-06-03 02:11")])

    assert outcomes() == {"2026-06-02": "started", "2026-06-03": "missed"}


def test_each_schedule_is_late_by_its_own_time(database: str) -> None:
    check_at([utc("2026-06-01 20:00")])
    change(utc("2026-06-01 20:00"), schedule_latest_minutes=600)

    assert check_at([utc("2026-06-02 12:01")]) == {"cleanup": [utc("2026-06-02 12:01")]}
    assert (outcomes(), outcomes("cleanup")) == ({"2026-06-02": "missed"}, {"2026-06-02": "started"})


def test_of_several_nights_without_anybody_only_the_last_begins(owner: Company) -> None:
    site_id = site(owner, "outlet")
    check_at([utc("2026-06-01 20:00")])

    assert check_at([utc("2026-06-05 02:40")])["full_sync"] == [utc("2026-06-05 02:40")]
    assert outcomes() == {
        "2026-06-02": "missed",
        "2026-06-03": "missed",
        "2026-06-04": "missed",
        "2026-06-05": "started",
    }
    assert end_runs() == [site_id]


def test_a_night_that_came_due_before_a_change_of_the_time_is_owed_all_the_same(database: str) -> None:
    check_at([utc("2026-06-01 20:00")])
    change(utc("2026-06-02 02:20"), full_sync_time="01:00")  # the scheduler is down from 2:00 to 2:40

    assert "full_sync" in check_at([utc("2026-06-02 02:40")])
    assert outcomes() == {"2026-06-02": "started"}
    assert "full_sync" in check_at([utc("2026-06-03 01:00")])


def test_a_time_that_was_set_while_nobody_looked_counts_from_when_it_was_set(database: str) -> None:
    check_at([utc("2026-06-01 20:00")])
    change(utc("2026-06-02 00:30"), full_sync_time="01:00")

    assert "full_sync" in check_at([utc("2026-06-02 01:40")])


def test_a_time_that_was_set_after_it_had_come_waits_for_the_next_day(database: str) -> None:
    change(utc("2026-06-01 00:00"), full_sync_time="05:00")
    check_at([utc("2026-06-01 20:00")])
    change(utc("2026-06-02 04:00"), full_sync_time="03:00")

    begun = check_at([utc("2026-06-02 04:01"), utc("2026-06-02 05:01"), utc("2026-06-03 03:00")])

    assert begun["full_sync"] == [utc("2026-06-03 03:00")]


def test_a_change_of_the_zone_gives_no_second_run_within_twenty_hours(database: str) -> None:
    for move in MOVES:
        _move(*move)


def _move(before: str, after: str, changed: str, begins: str) -> None:
    start_anew()
    change(utc("2026-06-01 00:00"), timezone=before)
    check_at([utc("2026-06-01 20:00")])
    night = local(before, "2026-06-02 02:00")
    assert "full_sync" in check_at([night])
    change(utc(changed), timezone=after)

    hours = [utc(changed) + timedelta(minutes=30 * step) for step in range(96)]
    begun = check_at(hours)["full_sync"]

    assert begun[0] - night >= timedelta(hours=20)
    assert abs(begun[0] - utc(begins)) < timedelta(minutes=30)


def test_a_time_moved_again_and_again_gives_one_run_a_date(database: str) -> None:
    check_at([utc("2026-06-01 20:00")])
    for hour in range(2, 24):
        change(utc(f"2026-06-02 {hour:02}:30"), full_sync_time=f"{hour:02}:45")
        check_at([utc(f"2026-06-02 {hour:02}:31"), utc(f"2026-06-02 {hour:02}:46")])

    started = rows("SELECT local_date::text FROM rm_schedule_log WHERE outcome = 'started'"
                   " AND schedule = 'full_sync'")  # fmt: skip
    assert started == [("2026-06-02",)]


def test_an_old_answer_of_the_settings_does_not_take_a_change_back(database: str) -> None:
    check_at([utc("2026-06-01 20:00")])
    change(utc("2026-06-02 01:00"), full_sync_time="03:30")

    check_at([utc("2026-06-02 01:10"), utc("2026-06-02 02:10")])

    assert outcomes() == {}
    assert rows("SELECT time, since FROM rm_schedules WHERE name = 'full_sync'") == [
        ("03:30", utc("2026-06-02 01:00"))
    ]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "UTC", "Australia/Lord_Howe"]),
    hour=st.integers(0, 23),
    first=st.integers(0, 20 * 365 * 24 * 60).map(
        lambda n: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
    ),
    gaps=st.lists(st.one_of(st.integers(1, 300), st.integers(300, 3000)), min_size=1, max_size=20),
)
def test_each_date_has_one_outcome_however_irregularly_somebody_looks(
    owner: Company, zone: str, hour: int, first: datetime, gaps: list[int]
) -> None:
    start_anew()
    execute("DELETE FROM rm_sync_runs")
    execute("DELETE FROM rm_sites")
    at, place = time(hour, 17), ZoneInfo(zone)
    own = site(owner, "own", full_sync_time=f"{hour:02}:17")
    looks = [first]
    for gap in gaps:
        looks.append(looks[-1] + timedelta(minutes=gap))
    change(looks[0] - timedelta(days=1), timezone=zone, full_sync_time=f"{hour:02}:17")

    check_at(looks)

    begin, end = looks[0].astimezone(place).date(), looks[-1].astimezone(place).date()
    days = [begin + timedelta(days=number) for number in range(-1, (end - begin).days + 2)]
    expected = {}
    for day in days:
        due = due_moment(day, at, place)
        if looks[0] < due <= looks[-1]:
            looked = next(now for now in looks if now >= due)
            late = looked - due > timedelta(minutes=240)
            expected[str(day)] = "missed" if late else "started"
    assert outcomes() == expected
    assert site_outcomes(own) == expected
    assert occasions.check(looks[-1]) == []
