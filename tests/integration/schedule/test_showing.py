"""The schedule as it is shown: over REST, and by the doctor."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.company import Company
from models.database import execute
from tests.integration.api.bodies import faults, refused, woocommerce
from tests.integration.api.conftest import Caller
from tests.integration.cli.conftest import Run, json_of
from tests.integration.schedule.nights import LONG_AGO, change, check_at, site
from workers import clock


@pytest.fixture
def noon(database: str) -> datetime:
    """Noon three days ago: nights of the test's own time lie close to the real one."""
    return clock.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)


def at(day: datetime, hours: float) -> datetime:
    """So many hours after the midnight of a day."""
    return day.replace(hour=0) + timedelta(hours=hours)


def shown(reader: Caller) -> dict[str, Any]:
    """What REST shows, each schedule under its name."""
    answer = reader.get("schedule")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return {**found, "schedules": {line["name"]: line for line in found["schedules"]}}


def test_the_schedule_shows_when_each_is_due_next_and_its_last_nights(reader: Caller, noon: datetime) -> None:
    check_at([noon, at(noon, 26), at(noon, 28), at(noon, 62)])

    found = shown(reader)

    assert (found["timezone"], found["schedule_latest_minutes"], found["sites"]) == ("UTC", 240, [])
    line = found["schedules"]["full_sync"]
    assert [night["outcome"] for night in line["recent"]] == ["missed", "started"]
    assert line["last"] == line["recent"][0]
    assert line["last"]["local_date"] == str(at(noon, 48).date())
    assert line["last"]["due_at"] == at(noon, 50).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    due = datetime.fromisoformat(line["next_due_at"])
    assert (due.hour, due.minute) == (2, 0)
    assert timedelta(0) < due - clock.now() <= timedelta(days=1)
    assert found["schedules"]["cleanup"]["time"] == "03:00"


def test_sites_that_go_their_own_way_are_shown_with_their_next_night(
    reader: Caller,
    owner: Company,
    noon: datetime,
) -> None:
    own = site(owner, "own", full_sync_time="04:30")
    off = site(owner, "off", full_sync_enabled=False)
    site(owner, "common")
    check_at([noon, at(noon, 28.6), at(noon, 52.6)])

    found = {line["site_id"]: line for line in shown(reader)["sites"]}

    assert found.keys() == {own, off}
    assert found[own]["next_due_at"].endswith("T04:30:00.000Z")
    assert found[own]["last"]["outcome"] == "started"
    assert (found[off]["next_due_at"], found[off]["last"], found[off]["full_sync_enabled"]) == (
        None,
        None,
        False,
    )


def test_a_night_that_nobody_begins_is_shown_as_overdue(reader: Caller, noon: datetime) -> None:
    check_at([noon])

    assert shown(reader)["schedules"]["full_sync"]["overdue_since"] == at(noon, 26).isoformat(
        timespec="milliseconds"
    ).replace("+00:00", "Z")


def test_a_new_installation_shows_its_first_night(reader: Caller) -> None:
    line = shown(reader)["schedules"]["full_sync"]

    assert (line["last"], line["recent"], line["overdue_since"]) == (None, [], None)
    assert datetime.fromisoformat(line["next_due_at"]) > datetime.now(UTC)


def test_the_schedule_needs_a_token(stranger: Caller) -> None:
    assert stranger.get("schedule").status_code == 401


def test_a_site_takes_its_own_time_over_rest_and_gives_it_back(admin: Caller, owner: Company) -> None:
    body = woocommerce(owner.id, active=False, full_sync_time="04:30", full_sync_enabled=False)
    made = admin.post("sites", body).get_json()
    path = f"sites/{made['id']}"

    assert (made["full_sync_time"], made["full_sync_enabled"]) == ("04:30", False)
    assert admin.patch(path, {"full_sync_enabled": True}).get_json()["full_sync_time"] == "04:30"
    changed = admin.patch(path, {"full_sync_time": None}).get_json()
    assert (changed["full_sync_time"], changed["full_sync_enabled"]) == (None, True)
    assert admin.get(path).get_json() == changed


def test_a_wrong_time_of_a_site_is_refused(admin: Caller, owner: Company) -> None:
    for wrong in ("24:00", "4:30", "04:30:00", "", 430, "0\uff14:30"):
        answer = admin.post("sites", woocommerce(owner.id, full_sync_time=wrong))

        assert refused(answer, 422, "invalid_fields")
        assert list(faults(answer)) == ["full_sync_time"], wrong


def test_too_late_is_between_ten_minutes_and_twenty_three_hours(admin: Caller) -> None:
    key = "schedule_latest_minutes"
    for wrong in (9, 1381, 0, -240, "240", 10.5, True, None):
        assert list(faults(admin.patch("settings", {key: wrong}))) == [key], wrong
    for right in (10, 1380):
        assert admin.patch("settings", {key: right}).get_json()[key] == right


def test_the_command_line_takes_a_site_s_own_time(run: Run, owner: Company) -> None:
    add = ("site", "add", "--platform", "bigcommerce", "--company", str(owner.id), "--access-token", "t0ken")
    rest = ("--inactive", "--store-hash")

    assert run(*add, "--name", "Late", "--full-sync-time", "04:30", *rest, "abc").exit_code == 0
    assert run(*add, "--name", "Never", "--no-full-sync", *rest, "def").exit_code == 0
    wrong = run(*add, "--name", "Wrong", "--full-sync-time", "25:00", *rest, "ghi")

    assert [
        (one["full_sync_time"], one["full_sync_enabled"]) for one in json_of(run("site", "list", "--json"))
    ] == [
        ("04:30", True),
        (None, False),
    ]
    assert wrong.exit_code == 2
    assert "--full-sync-time must be a time of day as HH:MM" in wrong.stderr


def doctor(run: Run) -> dict[str, dict[str, Any]]:
    """The doctor's findings by name."""
    result = run("doctor", "--json")
    assert result.exit_code in (0, 1)
    return {finding["check"]: finding for finding in json.loads(result.stdout)}


def test_the_doctor_tells_when_the_next_night_is_due(run: Run, database: str) -> None:
    change(LONG_AGO, timezone="Europe/Paris")

    found = doctor(run)

    assert found["nightly full sync"]["state"] == "ok"
    assert "02:00 (Europe/Paris)" in found["nightly full sync"]["message"]
    assert "03:00 (Europe/Paris)" in found["daily clean-up"]["message"]


def test_the_doctor_tells_of_a_missed_night_until_another_has_begun(
    run: Run, noon: datetime, owner: Company
) -> None:
    site(owner, "own", full_sync_time="04:30")
    now = clock.now()
    check_at([noon, now])
    execute("UPDATE rm_schedule_log SET outcome = 'missed'")
    execute("UPDATE rm_site_schedule_log SET outcome = 'missed'")

    found = doctor(run)

    for name in ("nightly full sync", "daily clean-up", "full sync of own"):
        assert found[name]["state"] == "warning", name
        assert "was missed" in found[name]["message"]
        assert "the next is due at" in found[name]["message"]
    assert "inventory-sync sync all" in found["nightly full sync"]["fix"]

    execute("UPDATE rm_schedule_log SET outcome = 'started'")
    execute("UPDATE rm_site_schedule_log SET outcome = 'started'")
    assert "warning" not in {found["state"] for name, found in doctor(run).items() if "sync" in name}


def test_the_doctor_calls_it_a_problem_where_nobody_begins_the_night(run: Run, noon: datetime) -> None:
    check_at([noon])

    found = doctor(run)["nightly full sync"]

    assert (found["state"], f"{at(noon, 26):%Y-%m-%d %H:%M}" in found["message"]) == ("problem", True)
    assert "dispatcher" in found["fix"]
