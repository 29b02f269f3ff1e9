"""Several schedulers and dispatchers as processes of their own: a night begins once, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker

from models.company import Company
from models.database import execute, rows
from tests.fleet import eventually
from tests.integration.schedule.nights import LONG_AGO, change, site
from workers import clock
from workers.schedule import PatientScheduler, declare_tick

ROOT = Path(__file__).parents[3]
# What a dispatcher does each quarter of a minute and a tick each minute, as often as it goes, until told to stop.
LOOK = """
import sys, threading
from models.database import configure
from workers import dispatcher, schedule
configure()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(10):
    {turn}
"""
TURNS = ("dispatcher.turn(heal=True)", "schedule._tick()") * 2


def test_two_schedulers_and_two_dispatchers_begin_a_night_once(
    owner: Company, environment: dict[str, str]
) -> None:
    shops = [site(owner, "common"), site(owner, "own", full_sync_time="00:00")]
    due = clock.now() - timedelta(minutes=2)
    change(LONG_AGO, full_sync_time=f"{due:%H:%M}", cleanup_time=f"{due:%H:%M}")
    execute("UPDATE rm_sites SET full_sync_time = %s WHERE id = %s", (f"{due:%H:%M}", shops[1]))
    for name in ("full_sync", "cleanup"):
        execute(
            "INSERT INTO rm_schedules (name, zone, time, since) VALUES (%s, 'UTC', %s, %s)",
            (name, f"{due:%H:%M}", due - timedelta(hours=1)),
        )
    looking = [
        subprocess.Popen(
            [sys.executable, "-c", LOOK.format(turn=turn)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for turn in TURNS
    ]
    for process in looking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in looking:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    for process in looking:
        process.communicate(timeout=60)
        assert process.returncode == 0

    day = str(due.date())
    assert rows("SELECT schedule, local_date::text, outcome FROM rm_schedule_log ORDER BY schedule") == [
        ("cleanup", day, "started"),
        ("full_sync", day, "started"),
    ]
    assert rows("SELECT site_id, requested_by FROM rm_sync_runs ORDER BY site_id") == [
        (shop, "schedule") for shop in shops
    ]
    assert rows("SELECT count(*) FROM rm_queue WHERE kind = 'maintenance.cleanup'") == [(1,)]


def test_a_begin_that_dies_half_way_leaves_the_night_to_the_next_look(owner: Company) -> None:
    """The decision and what it begins are one transaction: PostgreSQL forgets both."""
    site(owner, "shop")
    due = clock.now() - timedelta(minutes=2)
    change(LONG_AGO, full_sync_time=f"{due:%H:%M}")
    code = (
        "from models.database import configure; configure()\n"
        "import os; from workers import occasions, site_nights\n"
        "from workers.full_sync import requests\n"
        "real = requests.ledger.insert\n"
        "requests.ledger.insert = lambda jobs: (real(jobs), os.kill(os.getpid(), 9))\n"
        "occasions.check()\n"
    )
    execute(
        "INSERT INTO rm_schedules (name, zone, time, since) VALUES ('full_sync', 'UTC', %s, %s)",
        (f"{due:%H:%M}", due - timedelta(hours=1)),
    )

    died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False)

    assert died.returncode == -signal.SIGKILL
    from workers import occasions

    def begun() -> bool:
        return "full_sync" in occasions.check()  # once PostgreSQL has noticed that the other is gone

    eventually(begun, seconds=20, what="the night")
    assert rows("SELECT count(*) FROM rm_sync_runs") == [(1,)]


def test_the_scheduler_ends_at_sigterm(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.schedule"],
        cwd=ROOT,
        env={**os.environ, **environment, "LOG_LEVEL": "INFO", "LOG_FORMAT": "json"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "scheduler started" in line:
            break
    process.send_signal(signal.SIGTERM)

    said = process.communicate(timeout=30)[0]

    assert process.returncode == 0
    assert "scheduler stopped" in said


def test_a_tick_that_redis_does_not_take_ends_nothing(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = RedisBroker(url="redis://127.0.0.1:1/0")
    tick: dramatiq.Actor[[], None] = declare_tick(away)
    scheduler = PatientScheduler(actors=[tick])

    scheduler.send_actors([tick], clock.now())
