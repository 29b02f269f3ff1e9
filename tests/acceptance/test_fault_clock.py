"""Machines whose clock is over five minutes off: nothing of what they do depends on it.

The clock is moved by libfaketime, which is loaded into the processes: a library for Linux on x86-64.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime

import libfaketime
import pytest

from models.database import rows
from tests.acceptance.knocking import Knocking
from tests.acceptance.reckoning import reckon
from tests.acceptance.test_fault_vendors import assert_completed
from tests.acceptance.trouble import ask_for_all, quicken, town
from tests.fleet import ROOT, Fleet
from tests.places import wait_for_run
from workers import clock

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS = (4_000, 600) if FULL_SIZE else (1_500, 300)
OFF_SECONDS = 330  # over the five minutes that a webhook's timestamp may be off
TOKEN_SECONDS = 4  # how long BC's tokens are good: some end in the middle of a sync
TOKEN = "POST /oauth2/v2.0/token"
RUN_SECONDS = 120
ROLES = ("worker-sync", "worker-sync:2", "worker-webhooks", "dispatcher", "webhook")
AHEAD, BEHIND = OFF_SECONDS, -OFF_SECONDS
# Right are always the clocks of PostgreSQL, Redis, the vendors and this process.
MACHINES = {
    "mixed": {"worker-sync": AHEAD, "worker-sync:2": BEHIND, "worker-webhooks": BEHIND, "webhook": AHEAD},
    "ahead": dict.fromkeys(ROLES, AHEAD),
    "behind": dict.fromkeys(ROLES, BEHIND),
}
CHOSEN = list(MACHINES) if FULL_SIZE else ["mixed"]
# What is written once it has happened, of tables that were empty before.
PAST = {
    "rm_queue": ("created_at", "started_at", "finished_at", "updated_at", "hinted_at"),
    "rm_webhook_log": ("received_at", "processed_at"),
    "rm_sync_runs": ("created_at", "started_at", "finished_at", "list_started_at", "updated_at"),
    "rm_items": ("created_at", "updated_at", "observed_at", "sent_at"),
    "rm_stock": ("read_started_at",),
    "rm_stock_refreshes": ("created_at", "read_started_at", "finished_at"),
    "rm_pushes": ("sent_at",),
}


def moved(seconds: int) -> dict[str, str]:
    """What a process needs for a clock that is off by so much."""
    _, additions = libfaketime.get_reload_information()
    return {**additions, "FAKETIME": f"{seconds:+d}"}


class Machines(Fleet):
    """Processes on machines of their own: some clocks are `off` by seconds, by role."""

    def __init__(self, environment: dict[str, str], off: Mapping[str, int]) -> None:
        super().__init__(environment, ROLES)
        self._off = off

    def start(self, role: str) -> None:
        """Start a role on its machine."""
        right = self._environment
        self._environment = {**right, **(moved(self._off[role]) if role in self._off else {})}
        try:
            super().start(role)
        finally:
            self._environment = right


@pytest.fixture
def fleet(off: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Everything that takes part, with short leases."""
    with Machines(quicken(environment, monkeypatch), MACHINES[off]) as running:
        yield running


@pytest.mark.parametrize("off", CHOSEN)
def test_clocks_that_are_off_change_nothing(off: str, fleet: Fleet) -> None:
    began = clock.now()
    with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place:
        bc = place.simulators.bc
        bc.configure(token_ttl=TOKEN_SECONDS)
        for shop in place.shops:
            shop.set_faults(
                rules=[{"route": "GET *", "kind": "429", "nth": nth} for nth in (2, 4)], retry_after=2
            )

        with Knocking(fleet.webhook_port, place.sites) as told:
            runs = ask_for_all()
            for run_id in runs:
                wait_for_run(run_id, RUN_SECONDS)
            fleet.restart("worker-sync")  # who comes back has nothing but what others wrote down
            runs += ask_for_all()
        since = time.monotonic()

        reckon(f"clocks off by {OFF_SECONDS} s, {off}", place.shops, since=since, answers=told.answers)
        assert_completed(runs)
        assert {answer.status for answer in told.answers} == {200}
        assert rows("SELECT DISTINCT verdict FROM rm_webhook_log") == [("verified",)]  # none came late
        # Tokens were used for about as long as they are good: one at a time, and one more at worst after the kill.
        lasted = (clock.now() - began).total_seconds()
        assert 2 <= bc.calls()[TOKEN] <= 2 + lasted / (TOKEN_SECONDS * 0.9)
    assert times_of_other_clocks(began) == {}


def times_of_other_clocks(began: datetime) -> dict[str, int]:
    """How many times, by column, are not between the beginning and now."""
    found = {}
    for table, columns in PAST.items():
        for column in columns:
            ((wrong,),) = rows(
                f"SELECT count(*) FROM {table} WHERE {column} NOT BETWEEN %s AND clock_timestamp()", (began,)
            )
            if wrong:
                found[f"{table}.{column}"] = wrong
    return found


ASK = """
import sys, time
from models.database import configure
from workers.clients.answers import wait_asked
configure()
print(time.time(), wait_asked({"Retry-After": sys.argv[1]}))
"""


@pytest.mark.parametrize("off", [AHEAD, BEHIND])
def test_a_date_to_come_back_at_is_taken_by_the_right_clock(environment: dict[str, str], off: int) -> None:
    in_a_minute = format_datetime(clock.now() + timedelta(seconds=60), usegmt=True)

    said = subprocess.run(
        [sys.executable, "-c", ASK, in_a_minute],
        cwd=ROOT,
        env={**os.environ, **environment, **moved(off)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert abs(float(said[0]) - time.time() - off) < 30  # or nothing was tried
    assert 30 < float(said[1]) <= 60
