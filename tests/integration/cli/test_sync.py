"""A sync asked for, watched and judged; here a thread plays the workers, tests/acceptance has real ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import Json

from models.company import Company
from models.database import execute, rows, session
from models.site import Site
from models.sync_run import SyncRun
from tests.integration.cli.conftest import Run, json_of, only_line


@contextmanager
def ending(**columns: Any) -> Iterator[None]:
    """Every run that is asked for meanwhile ends like this."""
    over = threading.Event()
    values = {name: Json(value) if isinstance(value, dict) else value for name, value in columns.items()}
    setting = ", ".join(f"{name} = %({name})s" for name in values)

    def work() -> None:
        # A connection of its own: each command closes this process's pool at its end.
        connection = psycopg2.connect(os.environ["DATABASE_URL"])
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:
            while not over.wait(0.1):
                cursor.execute(
                    f"UPDATE rm_sync_runs SET started_at = now(), finished_at = now(), {setting}"
                    " WHERE status IN ('queued', 'running')",
                    values,
                )

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def test_a_sync_without_waiting_tells_the_run(run: Run, shop: Site) -> None:
    (asked,) = json_of(run("sync", "Outlet", "--no-wait", "--json"))
    (joined,) = json_of(run("sync", str(shop.id), "--no-wait", "--json"))

    assert (asked["site_id"], asked["status"], asked["joined"]) == (shop.id, "queued", False)
    assert (joined["run_id"], joined["joined"]) == (asked["run_id"], True)
    with session():
        assert SyncRun.get().requested_by == "cli"


def test_a_sync_that_goes_well_is_code_0_with_a_table(run: Run, shop: Site) -> None:
    done = {"status": "completed", "pushed": 17, "skipped": {"unknown": 3, "empty": 1}, "calls": 5}
    with ending(**done):
        result = run("sync", "Outlet")

    assert result.exit_code == 0, result.output
    heading, line = result.stdout.splitlines()
    assert heading.split()[:3] == ["site", "status", "pushed"]
    assert line.split()[:3] == ["Outlet", "completed", "17"]
    assert "3 unknown, 1 empty" in line
    assert "Outlet: " in result.stderr  # progress


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"status": "completed", "failed": {"refused": 2}}, 1),
        ({"status": "failed", "error": "the shop is away"}, 1),
        ({"status": "cancelled"}, 1),
        ({"status": "held", "error": "too many zeros"}, 3),
    ],
)
def test_the_exit_code_tells_how_it_ended(run: Run, shop: Site, columns: dict[str, Any], code: int) -> None:
    with ending(**columns):
        result = run("sync", "Outlet")

    assert result.exit_code == code
    assert columns.get("error", "") in result.stderr
    assert "Traceback" not in result.output


def test_all_active_sites_are_synced_and_told_as_json(run: Run, shop: Site, owner: Company) -> None:
    with session():
        for number in (2, 3):
            Site.create(
                name=f"Shop {number}",
                platform="woocommerce",
                company=owner.id,
                store_key=f"woocommerce:{number}",
                active=number == 2,
            )

    with ending(status="completed"):
        result = run("sync", "all", "--json")

    assert [(record["site"], record["status"]) for record in json_of(result)] == [
        ("Outlet", "completed"),
        ("Shop 2", "completed"),
    ]


def test_an_inactive_site_is_refused(run: Run, shop: Site) -> None:
    execute("UPDATE rm_sites SET active = false")

    result = run("sync", "Outlet")

    assert result.exit_code == 1
    assert f"site activate {shop.id}" in only_line(result)
    assert rows("SELECT id FROM rm_sync_runs") == []


def test_making_a_site_active_starts_a_sync_and_inactive_starts_none(run: Run, shop: Site) -> None:
    assert run("site", "deactivate", "Outlet").exit_code == 0
    assert json_of(run("site", "list", "--json"))[0]["active"] is False
    assert rows("SELECT id FROM rm_sync_runs") == []

    assert run("site", "activate", "Outlet").exit_code == 0

    assert json_of(run("site", "list", "--json"))[0]["active"] is True
    assert len(rows("SELECT id FROM rm_sync_runs WHERE site_id = %s", (shop.id,))) == 1


def test_a_run_that_is_not_held_is_not_released(run: Run, shop: Site) -> None:
    (asked,) = json_of(run("sync", "Outlet", "--no-wait", "--json"))

    result = run("release", str(asked["run_id"]))

    assert result.exit_code == 1
    assert f"run {asked['run_id']} is not released: the run is queued, not held" in only_line(result)


def test_runs_are_listed_and_shown(run: Run, shop: Site) -> None:
    with ending(status="completed", pushed=4):
        run("sync", "Outlet")

    (listed,) = json_of(run("runs", "list", "--site", "Outlet", "--json"))
    shown = json_of(run("runs", "show", str(listed["id"]), "--json"))

    assert shown == listed
    assert (shown["site"], shown["pushed"], shown["status"]) == ("Outlet", 4, "completed")
    assert "Outlet" in run("runs", "list").stdout
    assert "pushed" in run("runs", "show", str(listed["id"])).stdout


def test_stats_are_those_of_the_api(run: Run, shop: Site) -> None:
    run("sync", "Outlet", "--no-wait")

    found = json_of(run("stats", "--json"))

    queue = found["queue"]
    assert queue["total"] == queue["pending"] >= 1
    assert found["last_syncs"] == []
    assert "never" in run("stats").stdout
