"""Tables change while the old code works on them: nobody waits for long, and the change comes in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from models import migrate as migrations
from models.database import execute, row
from models.migrate import MigrationTimeoutError, migrate, newer
from tests.fleet import eventually

SLOW_SECONDS = 3.0  # of the machine; the dump would hold it for ever
ADD_COLUMN = "ALTER TABLE rm_queue ADD COLUMN later integer"
MEET_ONCE = """DO $$ BEGIN
    IF nextval('meetings') = 1 THEN RAISE EXCEPTION 'a meeting' USING ERRCODE = 'deadlock_detected'; END IF;
END $$"""
WAITING = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"

Next = Callable[..., None]


@pytest.fixture
def next_migration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Next:
    """Let the code have one more migration, of these statements."""

    def make(*statements: str) -> None:
        for path in migrations.DIRECTORY.glob("0*.py"):
            (tmp_path / path.name).symlink_to(path)
        (tmp_path / "9999_later.py").write_text(
            f"def up(migrator, db):\n    for statement in {statements!r}:\n        db.execute_sql(statement)\n"
        )
        monkeypatch.setattr(migrations, "DIRECTORY", tmp_path)

    return make


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    """A thread for what runs meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_table_that_a_dump_reads_is_changed_once_it_is_through_and_stops_nobody_meanwhile(
    database: str, next_migration: Next, beside: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.5)
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", 0.2)
    next_migration(ADD_COLUMN)
    with closing(psycopg2.connect(database)) as dump:
        dump.cursor().execute("LOCK TABLE rm_queue IN ACCESS SHARE MODE")
        migrating: Future[list[str]] = beside.submit(migrate)
        longest = 0.0
        for _ in range(2):  # it has given up once, and come back
            eventually(lambda: row(WAITING) == (True,), seconds=30, every=0.02, what="a migration that waits")
            began = time.monotonic()
            execute("INSERT INTO rm_queue (queue, kind) VALUES ('sync', 'test')")
            longest = max(longest, time.monotonic() - began)
        assert longest < 0.5 + SLOW_SECONDS
        assert not migrating.done()
    assert migrating.result(timeout=30) == ["9999_later"]
    assert row("SELECT count(*) FROM rm_queue WHERE later IS NULL") == (2,)


def test_a_migration_that_meets_others_in_a_deadlock_is_tried_again(
    database: str, next_migration: Next, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", 0.0)
    execute("CREATE SEQUENCE meetings")
    next_migration(ADD_COLUMN, MEET_ONCE)

    assert migrate() == ["9999_later"]

    assert row("SELECT last_value FROM meetings") == (2,)
    assert row("SELECT count(later) FROM rm_queue") == (0,)


def test_a_table_that_stays_in_use_is_said_to_be(
    database: str, next_migration: Next, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(migrations, "WAIT_SECONDS", 0.0)
    next_migration(ADD_COLUMN)
    with closing(psycopg2.connect(database)) as dump:
        dump.cursor().execute("LOCK TABLE rm_queue IN ACCESS SHARE MODE")

        with pytest.raises(MigrationTimeoutError, match="a table was in use"):
            migrate()

    assert newer() == []
