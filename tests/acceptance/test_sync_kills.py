"""Any one process dies in the middle of a sync and is started again: the stock ends right, by itself.

This module has servers of its own, since it kills them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psutil
import psycopg2
import pytest

from models.embedded import ensure
from models.migrate import migrate
from tests.acceptance.trouble import PHASES, Town, ask_for_all, assert_all_right, quicken, town
from tests.fleet import Fleet
from tests.servers import OWNER, Servers


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """PostgreSQL and Valkey that only this module uses, and may kill."""
    with Servers(migrate=_migrate) as running:
        connection = psycopg2.connect(running.admin_url())
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                # The tests' servers may forget what they have just committed; what is killed here must not.
                cursor.execute(f"ALTER ROLE {OWNER} SET synchronous_commit = on")
        finally:
            connection.close()
        yield running


def _migrate(url: str) -> None:
    migrate(url)


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """One sync worker and one dispatcher, with short leases."""
    with Fleet(quicken(environment, monkeypatch)) as running:
        yield running


@pytest.fixture
def place(fleet: Fleet) -> Iterator[Town]:
    """Two shops that the fleet syncs."""
    with town() as found:
        yield found


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all that it has started, at once."""
    leader = psutil.Process(pid)
    family = [leader, *leader.children(recursive=True)]
    for member in family:
        if member.is_running():
            os.kill(member.pid, signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)


def kill(what: str, fleet: Fleet, servers: Servers) -> None:
    """SIGKILL one process and start it again: a role, or a server over what it has on disk."""
    if what in fleet.processes:
        fleet.restart(what)
        return
    runtime = ensure(servers.runtime.data_dir, durable=False)
    kill_tree(runtime.pids[what])
    again = ensure(servers.runtime.data_dir, durable=False)
    assert again.pids[what] != runtime.pids[what]
    assert (again.database_url, again.redis_url) == (runtime.database_url, runtime.redis_url)


# What else happens to PostgreSQL and Redis is in test_fault_postgres.py and test_fault_redis.py.
KILLS = [(what, phase) for what in ("worker-sync", "dispatcher") for phase in PHASES] + [
    ("postgres", "pushing")
]


@pytest.mark.parametrize(("what", "phase"), KILLS)
def test_stock_ends_right_after_a_kill(
    what: str, phase: str, fleet: Fleet, servers: Servers, place: Town
) -> None:
    place.hold_when(phase)
    runs = ask_for_all()
    place.wait_until(phase)

    kill(what, fleet, servers)
    place.let_go()

    assert_all_right(place.shops, runs)
