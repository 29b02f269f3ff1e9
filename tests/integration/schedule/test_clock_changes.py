"""Each local night once, over both changes of the clock, with two schedulers that look at the same moments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import structlog

from models.company import Company
from models.database import rows
from tests.integration.schedule.nights import change, local, outcomes, site, start_anew, utc
from workers import occasions

# zone, its time of the full sync, the evening before, and when (UTC) the three nights that follow begin.
# The clean-up is an hour later by the clock on the wall.
CHANGES = [
    ("Europe/Paris", "02:00", "2026-03-27", ["2026-03-28 01:00", "2026-03-29 01:00", "2026-03-30 00:00"]),
    ("Europe/Paris", "02:30", "2026-03-27", ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
    ("Europe/Paris", "02:00", "2026-10-23", ["2026-10-24 00:00", "2026-10-25 00:00", "2026-10-26 01:00"]),
    ("America/New_York", "02:00", "2026-03-06", ["2026-03-07 07:00", "2026-03-08 07:00", "2026-03-09 06:00"]),
    ("America/New_York", "02:00", "2026-10-30", ["2026-10-31 06:00", "2026-11-01 07:00", "2026-11-02 07:00"]),
    ("America/New_York", "01:30", "2026-10-30", ["2026-10-31 05:30", "2026-11-01 05:30", "2026-11-02 06:30"]),
    ("UTC", "02:00", "2026-03-27", ["2026-03-28 02:00", "2026-03-29 02:00", "2026-03-30 02:00"]),
    ("UTC", "02:00", "2026-10-23", ["2026-10-24 02:00", "2026-10-25 02:00", "2026-10-26 02:00"]),
]


def _looks(first: datetime, expected: list[datetime]) -> list[datetime]:
    """Every hour for three nights, each minute around a night, and when its time comes again."""
    hours = [first + timedelta(hours=step) for step in range(72)]
    near = [due + timedelta(minutes=minute) for due in expected for minute in (-1, 0, 1, 60)]
    return sorted({*hours, *near})


def test_each_night_begins_once_and_when_its_time_comes(owner: Company) -> None:
    site_id = site(owner, "outlet")
    for zone, at, evening, expected in CHANGES:
        _three_nights(site_id, zone, at, evening, expected)


def _three_nights(site_id: int, zone: str, at: str, evening: str, expected: list[str]) -> None:
    start_anew()
    due = [utc(text) for text in expected]
    first = local(zone, f"{evening} 20:00")
    change(first - timedelta(hours=1), timezone=zone, full_sync_time=at)
    begun: list[tuple[str, datetime]] = []

    with structlog.testing.capture_logs() as logs, ThreadPoolExecutor(2) as schedulers:
        for moment in _looks(first, due):
            for names in schedulers.map(occasions.check, [moment, moment]):
                begun += [(name, moment) for name in names]

    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    assert [moment for name, moment in begun if name == "full_sync"] == due
    dates = [(date.fromisoformat(evening) + timedelta(days=night)).isoformat() for night in (1, 2, 3)]
    assert outcomes() == dict.fromkeys(dates, "started")
    assert outcomes("cleanup") == dict.fromkeys(dates, "started")
    assert rows(
        "SELECT local_date::text, due_at FROM rm_site_schedule_log WHERE site_id = %s", (site_id,)
    ) == list(zip(dates, due, strict=True))
    assert rows("SELECT count(*) FROM rm_queue WHERE kind = 'maintenance.cleanup'") == [(3,)]


def test_the_clean_up_comes_at_three_also_where_two_and_three_are_one_moment(database: str) -> None:
    for zone, evening in (
        ("Europe/Paris", "2026-03-28"),
        ("America/New_York", "2026-03-07"),
        ("UTC", "2026-03-28"),
    ):
        _two_and_three(zone, evening)


def _two_and_three(zone: str, evening: str) -> None:
    start_anew()
    first = local(zone, f"{evening} 20:00")
    change(first, timezone=zone)
    occasions.check(first)
    three = local(zone, f"{date.fromisoformat(evening) + timedelta(days=1)} 03:00")

    early = occasions.check(three - timedelta(minutes=1))
    found = occasions.check(three)

    assert (early, found) == (
        (["full_sync"], ["cleanup"]) if zone == "UTC" else ([], ["full_sync", "cleanup"])
    )
