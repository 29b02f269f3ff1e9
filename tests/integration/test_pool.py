"""The pool of connections: what it holds to, and that threads wait for a silent server once, not in turn."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.database import DatabaseUnavailable, configure, db, row, session

THREADS = 6
CONNECT_SECONDS = 2  # the least that libpq takes


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port whose connections are taken by the system, and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
    db.close_all()


def test_threads_that_find_a_silent_server_wait_at_the_same_time(
    environment: dict[str, str], silent_server: int
) -> None:
    configure(f"postgresql://somebody@127.0.0.1:{silent_server}/x?connect_timeout={CONNECT_SECONDS}")

    def look(_: int) -> None:
        with pytest.raises(DatabaseUnavailable):
            row("SELECT 1")

    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(look, range(THREADS)))

    assert time.monotonic() - began < 2 * CONNECT_SECONDS


def test_a_pool_never_has_more_connections_than_it_may(database: str) -> None:
    db.close_all()
    configure(pool_size=2)
    together = threading.Barrier(THREADS)

    def work(_: int) -> int:
        together.wait()  # so that all want to open one
        with session():
            found = row(
                "SELECT count(*), pg_sleep(0.1) FROM pg_stat_activity WHERE datname = current_database()"
            )
        assert found is not None
        return int(found[0])

    with ThreadPoolExecutor(THREADS) as threads:
        seen = list(threads.map(work, range(THREADS)))

    assert max(seen) == 2


def test_who_waits_in_vain_for_a_connection_is_told_as_if_the_server_were_away(database: str) -> None:
    db.close_all()
    configure(pool_size=1, wait_seconds=0.1)

    def wait_in_vain() -> None:
        with pytest.raises(DatabaseUnavailable, match="Max connections exceeded"):
            row("SELECT 1")

    with session(), ThreadPoolExecutor(1) as other:
        other.submit(wait_in_vain).result()


def test_what_the_url_says_of_the_connection_counts(database: str) -> None:
    db.close_all()
    configure(f"{database}?application_name=somebody&options=-c%20work_mem%3D1234kB")

    assert row("SELECT current_setting('application_name')") == ("somebody",)
    assert row("SELECT current_setting('work_mem'), current_setting('timezone')") == ("1234kB", "UTC")
