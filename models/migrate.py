"""Bring the schema up to date: peewee's own runner, one at a time however many pods start at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peewee import OperationalError, PostgresqlDatabase
from playhouse.migrations import Migration, Runner
from psycopg2.errors import DeadlockDetected, LockNotAvailable

from models.config import settings
from models.database import connect_arguments

DIRECTORY = Path(__file__).parent / "migrations"
LOCK_KEY = 0x494E5653  # "INVS": the advisory lock that all migration runners share
POLL_SECONDS = 0.2
WAIT_SECONDS = 600.0  # a long index build of another pod is waited for
# A change of a table waits for whoever uses it (a dump may, for hours), and all others queue behind it meanwhile: so
# it gives up, lets them through, and tries again. Less than a receiver has for its answer.
LOCK_SECONDS = 2.0
PAUSE_SECONDS = 2.0


class MigrationTimeoutError(Exception):
    """Another runner held the lock, or somebody else a table, for too long."""


def _direct(url: str | None) -> PostgresqlDatabase:
    # Not the pool and not a pooler such as PgBouncer: an advisory lock belongs to a session.
    return PostgresqlDatabase(
        **connect_arguments(url or settings().database_url or ""), application_name="inventory-sync migrate"
    )


@contextmanager
def _locked(database: PostgresqlDatabase) -> Iterator[None]:
    """Hold the advisory lock, polled: a blocking one deadlocks with CREATE INDEX CONCURRENTLY."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not database.execute_sql("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()[0]:
        if time.monotonic() > deadline:
            raise MigrationTimeoutError(
                f"another migration has run for over {WAIT_SECONDS:.0f} s: see pg_stat_activity"
            )
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        database.execute_sql("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))


def _runner(database: PostgresqlDatabase) -> Runner:
    return Runner(database, directory=str(DIRECTORY), table_name="rm_schema_migrations")


def migrate(url: str | None = None) -> list[str]:
    """Apply what is pending and give the names of what was applied; safe to run in many pods at once.

    The old code's work goes on meanwhile. Raises MigrationTimeoutError.
    """
    database = _direct(url)
    database.connect()
    try:
        with _locked(database):
            runner = _runner(database)
            wanted = _missing(runner.status())
            database.execute_sql(f"SET lock_timeout = {LOCK_SECONDS * 1000:.0f}")
            _apply(runner)
            return wanted
    finally:
        database.close()


def _apply(runner: Runner) -> None:
    """Each migration is a transaction: what has failed left nothing behind, and is tried again."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            runner.up()
            return
        except OperationalError as error:
            if not isinstance(error.__context__, LockNotAvailable | DeadlockDetected):
                raise
            if time.monotonic() > deadline:
                raise MigrationTimeoutError(
                    f"a table was in use for over {WAIT_SECONDS:.0f} s: see pg_stat_activity"
                ) from error
        time.sleep(PAUSE_SECONDS)


def pending(url: str | None = None) -> list[str]:
    """Names of the migrations that this code has and the database lacks."""
    return _missing(_status(url))


def newer(url: str | None = None) -> list[str]:
    """Names of the migrations that a newer version has applied: this code lacks them, and does without."""
    return [entry.name for entry in _status(url) if not entry.path]


def _missing(entries: list[Migration]) -> list[str]:
    return [entry.name for entry in entries if entry.path and not entry.applied]


def _status(url: str | None) -> list[Migration]:
    database = _direct(url)
    database.connect()
    try:
        found: list[Migration] = _runner(database).status()
        return found
    finally:
        database.close()
