"""The schedule begins each night once, whoever looks and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from models import setting
from models.database import rows, session
from workers import occasions

EVENING = datetime(2026, 6, 1, 20, 0, tzinfo=UTC)
NIGHT = datetime(2026, 6, 2, 2, 0, 30, tzinfo=UTC)


def test_a_first_start_in_the_day_begins_nothing_by_itself(database: str) -> None:
    assert occasions.check(EVENING) == []


def test_a_night_begins_once_although_many_look_at_once(database: str) -> None:
    occasions.check(EVENING)

    with ThreadPoolExecutor(8) as looking:
        begun = list(looking.map(lambda _: occasions.check(NIGHT), range(8)))

    assert sorted(name for names in begun for name in names) == ["full_sync"]
    assert rows("SELECT schedule, local_date::text, outcome FROM rm_schedule_log") == [
        ("full_sync", "2026-06-02", "started")
    ]


def test_a_night_missed_by_a_dead_scheduler_is_caught_up(database: str) -> None:
    occasions.check(EVENING)

    assert occasions.check(NIGHT + timedelta(minutes=40)) == ["full_sync"]


def test_a_changed_time_gives_no_second_run_in_the_same_night(database: str) -> None:
    occasions.check(EVENING)
    occasions.check(NIGHT)
    with session():
        setting.change("full_sync_time", "04:00")
    occasions.check(NIGHT + timedelta(hours=1))

    assert occasions.check(NIGHT + timedelta(hours=2, minutes=1)) == []


def test_the_clean_up_becomes_a_job(database: str) -> None:
    occasions.check(EVENING)

    assert occasions.check(NIGHT + timedelta(hours=1)) == ["full_sync", "cleanup"]
    assert rows("SELECT kind, status FROM rm_queue") == [("maintenance.cleanup", "pending")]
