"""The connection to PostgreSQL: a pool per process, opened around database work only."""

from __future__ import annotations

import functools
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import peewee
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase

from models.config import settings

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 5
POOL_WAIT_SECONDS = 10
STALE_SECONDS = 300
STATEMENT_TIMEOUT_MS = 60_000  # a statement that takes longer is a fault; migrations lift it

DatabaseUnavailable = (peewee.OperationalError, peewee.InterfaceError, MaxConnectionsExceeded)
"""What peewee raises where PostgreSQL, or a connection of our pool, can't be had; the caller answers 503 or tries
again."""

DatabaseUnusable = (*DatabaseUnavailable, peewee.InternalError)
"""As well where PostgreSQL answers but doesn't write: a standby that was not made the primary yet, no room on its
disk. Faults of ours in a statement come as this, too: for those who only wait and try again."""

_PostgresqlDatabase: Any = peewee.PostgresqlDatabase  # its stubs know nothing of what pools rely on


class _Opening(_PostgresqlDatabase):
    """What the pool calls, its lock held, where it has no connection at hand: opened without that lock.

    Else a server that hangs would make all threads wait for it in turn, and none could give a connection back.
    """

    _opening = 0

    def _connect(self) -> Any:
        if len(self._in_use) + self._opening >= self._max_connections:
            raise MaxConnectionsExceeded("all connections are in use, or are being opened")
        self._opening += 1
        self._pool_lock.release()
        try:
            return super()._connect()
        finally:
            self._pool_lock.acquire()
            self._opening -= 1
            self._pool_available.notify()  # where this has failed, another may try


class Database(PooledPostgresqlDatabase, _Opening):
    """Peewee's pool, whose threads wait for each other only where all connections are in use.

    It also notices that a server closed a connection while it lay idle.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Peewee holds this one while it connects. What it would guard is each thread's own.
        self._lock = nullcontext()

    def _is_closed(self, conn: Any) -> bool:
        # Peewee's own check asks SELECT 1 each time, and under the pool's lock. A restarted server has sent its
        # goodbye: an idle connection with something to read is dead, which costs no round trip to see.
        if conn.closed:
            return True
        poll = select.poll()
        poll.register(conn.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))


db = Database(None, autoconnect=False)  # a connection is opened on purpose, or not at all


def connect_arguments(url: str) -> dict[str, Any]:
    """A database URL as peewee's and psycopg2's keyword arguments."""
    parts = urlsplit(url)
    arguments: dict[str, Any] = {"database": unquote(parts.path.lstrip("/"))}
    if parts.hostname:
        arguments["host"] = parts.hostname
    if parts.port:
        arguments["port"] = parts.port
    if parts.username:
        arguments["user"] = unquote(parts.username)
    if parts.password:
        arguments["password"] = unquote(parts.password)
    for pair in filter(None, parts.query.split("&")):
        name, _, value = pair.partition("=")
        arguments[name] = unquote(value)
    return arguments


def configure(
    url: str | None = None, *, pool_size: int | None = None, wait_seconds: float = POOL_WAIT_SECONDS
) -> None:
    """Point this process's pool at a database (the one of the settings by default); connects to nothing.

    wait_seconds: for a connection, where all are in use.
    """
    given = connect_arguments(url or settings().database_url or "")
    options = f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}"
    chosen = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "inventory-sync",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        **given,  # what the URL says is meant
        "options": f"{options} {given.get('options', '')}".strip(),
    }
    db.init(
        **chosen,
        max_connections=pool_size or settings().database_pool_size,
        stale_timeout=STALE_SECONDS,
        timeout=wait_seconds,
    )


@contextmanager
def session() -> Iterator[None]:
    """A connection for one piece of database work; given back to the pool at the outermost exit."""
    if not db.is_closed():
        yield
        return
    db.connect()
    try:
        yield
    finally:
        db.close()


@contextmanager
def transaction() -> Iterator[None]:
    """All or nothing, on a connection of its own or the one that is open (a savepoint there)."""
    with session(), db.atomic():
        yield


def in_transaction(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function in `transaction()`."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with transaction():
            return function(*args, **kwargs)

    return wrapper


Parameters = Sequence[Any] | Mapping[str, Any]
"""Bound to `%s` in order, or to `%(name)s` by name."""


def rows(sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """All rows of one statement, on a connection of its own or the one that is open."""
    with session():
        cursor = db.execute_sql(sql, parameters)
        # The driver's errors while fetching become peewee's, as those of `execute_sql` are: callers know no others.
        # Not of both at once: peewee's own would be wrapped again, and lose the server's code.
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            return list(cursor.fetchall()) if cursor.description else []


def row(sql: str, parameters: Parameters = ()) -> tuple[Any, ...] | None:
    """The first row of one statement, or None."""
    found = rows(sql, parameters)
    return found[0] if found else None


def execute(sql: str, parameters: Parameters = ()) -> int:
    """Run one statement and tell how many rows it changed."""
    with session():
        return int(db.execute_sql(sql, parameters).rowcount)


class Table(peewee.Model):
    """The root of all models: the one database, snake_case."""

    class Meta:
        database = db
        legacy_table_names = False
