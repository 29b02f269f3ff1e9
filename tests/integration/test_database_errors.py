"""A deadlock's victim goes again; nobody who asks for something sees one, nor an error of the driver's own."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from peewee import InterfaceError, OperationalError

from models.database import db, execute, rows, transaction
from workers.database_errors import retried


@pytest.fixture
def two_rows(database: str) -> None:
    execute("INSERT INTO rm_settings (key, value) VALUES ('one', '0'), ('two', '0')")


def _both(first: str, second: str, together: threading.Barrier) -> None:
    with transaction():
        execute("UPDATE rm_settings SET value = to_jsonb(value::int + 1) WHERE key = %s", (first,))
        if not together.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=2)
            together.abort()
        execute("UPDATE rm_settings SET value = to_jsonb(value::int + 1) WHERE key = %s", (second,))


def test_two_that_wait_for_each_other_both_end(two_rows: None) -> None:
    together = threading.Barrier(2)
    asked = [
        threading.Thread(target=retried(_both), args=order, daemon=True)
        for order in (("one", "two", together), ("two", "one", together))
    ]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join(timeout=20)

    assert rows("SELECT key, value FROM rm_settings ORDER BY key") == [("one", 2), ("two", 2)]


def test_other_faults_and_those_inside_a_transaction_are_not_tried_again(two_rows: None) -> None:
    tries: list[float] = []

    @retried
    def broken() -> None:
        tries.append(time.monotonic())
        raise OperationalError("the server closed the connection")

    with pytest.raises(OperationalError):
        broken()
    assert len(tries) == 1


def test_a_connection_that_is_closed_before_its_rows_are_fetched_is_told_as_any_database_error(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = db.execute_sql

    def closed_meanwhile(*statement: object) -> object:
        cursor = asked(*statement)
        db.connection().close()
        return cursor

    monkeypatch.setattr(db, "execute_sql", closed_meanwhile)
    with pytest.raises(InterfaceError):
        rows("SELECT 1")
    db.close_all()
