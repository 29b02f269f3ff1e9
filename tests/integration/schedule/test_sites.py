"""A site's own time and its switch: once a site and date, and never twice within twenty hours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import structlog

from models.company import Company
from models.database import execute, row, rows
from tests.integration.schedule.nights import (
    change,
    check_at,
    end_runs,
    local,
    site,
    site_outcomes,
    start_anew,
    utc,
)
from tests.places import delete_what_leaves
from workers import occasions, sites
from workers.forms import parse
from workers.site_forms import SiteChange

EVENING = utc("2026-06-01 20:00")
TWO = utc("2026-06-02 02:00")


@pytest.fixture
def shop(owner: Company) -> int:
    """A site that syncs at 4:30, and not at 2:00 as the others."""
    return site(owner, "own", full_sync_time="04:30")


def alter(site_id: int, **fields: Any) -> None:
    """Change a site, as if at a moment (`at`)."""
    at = fields.pop("at")
    before = row("SELECT full_sync_since FROM rm_sites WHERE id = %s", (site_id,))
    sites.change(site_id, parse(SiteChange, fields), requested_by="test")
    if row("SELECT full_sync_since FROM rm_sites WHERE id = %s", (site_id,)) != before:
        execute("UPDATE rm_sites SET full_sync_since = %s WHERE id = %s", (at, site_id))


def test_a_site_with_its_own_time_begins_then_and_not_with_the_others(owner: Company, shop: int) -> None:
    other = site(owner, "other")
    check_at([EVENING])

    assert (set(check_at([TWO])), end_runs()) == ({"full_sync"}, [other])
    assert (set(check_at([utc("2026-06-02 04:29")])), end_runs()) == ({"cleanup"}, [])
    assert (set(check_at([utc("2026-06-02 04:30")])), end_runs()) == ({f"site {shop}"}, [shop])
    assert (check_at([utc("2026-06-02 04:31")]), end_runs()) == ({}, [])
    assert (site_outcomes(shop), site_outcomes(other)) == (
        {"2026-06-02": "started"},
        {"2026-06-02": "started"},
    )


def test_a_site_s_night_begins_once_although_many_look_at_once(shop: int) -> None:
    check_at([EVENING, utc("2026-06-02 03:00")])

    with structlog.testing.capture_logs() as logs, ThreadPoolExecutor(8) as looking:
        begun = list(looking.map(lambda _: occasions.check(utc("2026-06-02 04:31")), range(16)))

    assert [name for names in begun for name in names] == [f"site {shop}"]
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    assert rows("SELECT site_id, requested_by, priority FROM rm_sync_runs") == [(shop, "schedule", 50)]


def test_a_site_without_a_nightly_full_sync_is_left_alone(owner: Company) -> None:
    site(owner, "off", full_sync_enabled=False)
    site(owner, "off-at-its-time", full_sync_enabled=False, full_sync_time="02:00")
    site(owner, "inactive", active=False, full_sync_time="02:00")
    on = site(owner, "on")

    check_at([EVENING, TWO])

    assert end_runs() == [on]
    assert rows("SELECT site_id FROM rm_site_schedule_log") == [(on,)]


def test_a_site_s_own_time_is_a_local_one_over_both_changes_of_the_clock(owner: Company) -> None:
    shop = site(owner, "own", full_sync_time="02:30")
    for zone, night in product(
        ("Europe/Paris", "America/New_York"), ("2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01")
    ):
        start_anew()
        change(utc("2026-01-01 00:00"), timezone=zone, full_sync_time="20:00")
        midnight = local(zone, f"{night} 00:00")

        begun = check_at(midnight + timedelta(minutes=30 * step) for step in range(40))

        assert len(begun[f"site {shop}"]) == 1, (zone, night)
        assert site_outcomes(shop) == {night: "started"}


def test_down_at_its_time_a_site_is_caught_up_and_missed_by_the_same_rule(shop: int) -> None:
    check_at([EVENING])

    assert f"site {shop}" in check_at([utc("2026-06-02 05:10")])
    assert f"site {shop}" not in check_at([utc("2026-06-03 12:00"), utc("2026-06-03 12:01")])
    assert site_outcomes(shop) == {"2026-06-02": "started", "2026-06-03": "missed"}


def test_a_site_moved_to_a_later_time_after_its_night_has_no_second_one(owner: Company) -> None:
    shop = site(owner, "moved")
    check_at([EVENING, TWO])
    assert end_runs() == [shop]
    alter(shop, full_sync_time="05:00", at=utc("2026-06-02 03:30"))

    check_at([utc("2026-06-02 05:00"), utc("2026-06-02 23:00")])

    assert end_runs() == []
    assert f"site {shop}" in check_at([utc("2026-06-03 05:00")])


def test_a_site_moved_to_the_evening_of_the_next_date_waits_until_twenty_hours_are_over(
    owner: Company,
) -> None:
    shop = site(owner, "moved", full_sync_time="23:50")
    check_at([EVENING, utc("2026-06-01 23:50")])
    alter(shop, full_sync_time="00:10", at=utc("2026-06-01 23:55"))

    check_at([utc("2026-06-02 00:10"), utc("2026-06-03 00:10")])

    assert site_outcomes(shop) == {"2026-06-01": "started", "2026-06-02": "too_soon", "2026-06-03": "started"}


def test_a_site_that_gives_up_its_own_time_waits_for_the_first_common_night_that_is_not_too_soon(
    owner: Company,
) -> None:
    shop = site(owner, "moved", full_sync_time="23:50")
    check_at([EVENING, utc("2026-06-01 23:50")])
    assert end_runs() == [shop]
    alter(shop, full_sync_time=None, at=utc("2026-06-01 23:55"))

    check_at([TWO])

    assert end_runs() == []
    check_at([utc("2026-06-03 02:00")])
    assert end_runs() == [shop]
    assert site_outcomes(shop) == {"2026-06-01": "started", "2026-06-02": "too_soon", "2026-06-03": "started"}


def test_a_site_that_gives_up_its_own_time_after_its_night_is_not_begun_with_the_others(
    owner: Company,
) -> None:
    shop = site(owner, "moved", full_sync_time="01:00")
    check_at([EVENING, utc("2026-06-02 01:00")])
    assert end_runs() == [shop]
    alter(shop, full_sync_time=None, at=utc("2026-06-02 01:30"))

    check_at([TWO])

    assert end_runs() == []
    check_at([utc("2026-06-03 02:00")])
    assert end_runs() == [shop]


def test_a_change_of_the_zone_gives_a_site_no_second_run_within_twenty_hours(shop: int) -> None:
    change(utc("2026-05-01 00:00"), timezone="America/New_York")
    check_at([EVENING, utc("2026-06-02 08:30")])  # 4:30 there
    assert site_outcomes(shop) == {"2026-06-02": "started"}
    change(utc("2026-06-02 12:00"), timezone="Europe/Paris")

    check_at(utc("2026-06-02 12:00") + timedelta(minutes=30 * step) for step in range(96))

    assert site_outcomes(shop) == {"2026-06-02": "started", "2026-06-03": "too_soon", "2026-06-04": "started"}


def test_nights_from_before_a_site_was_switched_on_do_not_count(owner: Company) -> None:
    at: dict[str, Any] = {"full_sync_time": "02:10"}
    switched: dict[int, dict[str, Any]] = {
        site(owner, "inactive", active=False, **at): {"active": True},
        site(owner, "off", full_sync_enabled=False, **at): {"full_sync_enabled": True},
        site(owner, "later", full_sync_time="06:00"): at,
        site(owner, "common"): at,
    }
    check_at([EVENING])
    for shop, fields in switched.items():
        alter(shop, **fields, at=utc("2026-06-02 02:20"))  # the scheduler is down from 2:00 to 2:40
    end_runs()

    check_at([utc("2026-06-02 02:40")])

    assert end_runs() == []
    check_at([utc("2026-06-03 02:10")])
    assert end_runs() == sorted(switched)


def test_a_site_that_is_made_after_the_night_came_due_waits_for_the_next(owner: Company) -> None:
    check_at([EVENING])
    shop = site(owner, "new", utc("2026-06-02 02:20"))

    check_at([utc("2026-06-02 02:40")])

    assert (end_runs(), site_outcomes(shop)) == ([], {})


def test_other_changes_of_a_site_leave_its_nights_alone(shop: int) -> None:
    check_at([EVENING])
    alter(shop, name="renamed", full_sync_time="04:30", full_sync_enabled=True, at=utc("2026-06-02 04:31"))

    assert f"site {shop}" in check_at([utc("2026-06-02 04:40")])


def test_a_deleted_site_takes_its_nights_along(shop: int) -> None:
    check_at([EVENING, utc("2026-06-02 04:30")])

    sites.delete(shop)
    delete_what_leaves()

    assert rows("SELECT count(*) FROM rm_site_schedule_log") == [(0,)]
    assert check_at([utc("2026-06-03 04:30")]).keys() == {"full_sync", "cleanup"}
