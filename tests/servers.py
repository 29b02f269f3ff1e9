"""One real PostgreSQL and one real Valkey for a whole run of the tests, and a database for each test."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import redis
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class

from models.embedded import Runtime, ensure, stop
from models.embedded.postgres import Postgres
from models.embedded.valkey import TEST_DATABASES
from tests.spare import Emptier

TEMPLATE = "migrated"
OWNER = "inventory_sync"
WATCH_SECONDS = 0.2


class Servers:
    """Both servers on free ports in a temporary folder, gone at the end, whatever end that is.

    `migrate` is called once with the URL of an empty database, which all others are then copied from. It must
    leave no connection open: PostgreSQL copies only what nobody uses.
    """

    def __init__(self, migrate: Callable[[str], None] | None = None) -> None:
        self._migrate = migrate
        self._runtime: Runtime | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._redis_numbers = itertools.cycle(range(1, TEST_DATABASES))
        self._lock = threading.Lock()
        self._template_ready = False
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="databases")
        self._next: Future[str] | None = None
        self._emptier = Emptier()
        self._spare: list[str] = []

    def start(self) -> Self:
        """Start both servers; settings trade durability for speed."""
        folder = temporary_folder("inventory-sync-tests-")
        self._guard = _start_guard(folder)
        self._runtime = ensure(folder / "data", durable=False)
        return self

    def stop(self) -> None:
        """Stop both servers and remove their folder."""
        self._copier.shutdown(wait=True)
        guard, runtime, self._guard, self._runtime = self._guard, self._runtime, None, None
        if runtime is not None:
            stop(runtime.data_dir)
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
            guard.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def runtime(self) -> Runtime:
        """The two servers as `models.embedded` describes them."""
        if self._runtime is None:
            raise RuntimeError("the servers have not been started")
        return self._runtime

    def new_database(self, *, migrated: bool = True) -> str:
        """The URL of a database of one's own, copied from the migrated one (or empty)."""
        if not migrated or self._migrate is None:
            return self._create(f"test_{next(self._numbers)}", "template0")
        with self._lock:
            if not self._template_ready:
                self._migrate(self._create(TEMPLATE, "template0"))
                self._emptier.learn(self.admin_url(TEMPLATE))
                self._template_ready = True
            if self._spare:
                return self._spare.pop()
        # The next one is copied while this test runs: a copy takes as long as many a test. By a connection made here:
        # connecting reads the environment, and a test that sets a variable meanwhile would crash the process.
        copied, self._next = self._next, self._copier.submit(self._copy, self._admin_connection())
        if copied is not None:
            with suppress(psycopg2.Error):  # a test may have killed PostgreSQL in the middle of it
                return copied.result()
        return self._copy()

    def _copy(self, connection: Connection | None = None) -> str:
        return self._create(f"test_{next(self._numbers)}", TEMPLATE, connection)

    def take_back(self, url: str) -> None:
        """Keep a database for the next test, emptied, or remove it where that can't be done surely."""
        try:
            emptied = self._emptier.empty(self.admin_url(urlsplit(url).path.removeprefix("/")))
        except psycopg2.Error:
            emptied = False
        if emptied:
            with self._lock:
                self._spare.append(url)
        else:
            self.drop_database(url)

    def drop_database(self, url: str) -> None:
        """Remove a database, and whoever is still connected to it."""
        name = urlsplit(url).path.removeprefix("/")
        self._admin(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def redis_url(self, index: int) -> str:
        """The URL of one of Valkey's numbered databases (0 to 1023)."""
        return urlunsplit(urlsplit(self.runtime.redis_url)._replace(path=f"/{index}"))

    def new_redis(self) -> str:
        """The URL of an emptied numbered database: 1 to 1023 in turn, then from the start again."""
        url = self.redis_url(next(self._redis_numbers))
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    def admin_url(self, database: str = "postgres") -> str:
        """The superuser's URL, for what the product's own account may not do."""
        port = urlsplit(self.runtime.database_url).port
        assert port is not None
        return Postgres(self.runtime.data_dir).admin_url(port, database)

    def _create(self, name: str, template: str, connection: Connection | None = None) -> str:
        create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY")
        self._admin(
            create.format(sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)), connection
        )
        return urlunsplit(urlsplit(self.runtime.database_url)._replace(path=f"/{name}"))

    def _admin_connection(self) -> Connection:
        return psycopg2.connect(self.admin_url())

    def _admin(self, statement: sql.Composed, connection: Connection | None = None) -> None:
        """Run one statement outside a transaction, and close its connection: the given one, or one of its own."""
        connection = connection or self._admin_connection()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


def temporary_folder(prefix: str) -> Path:
    """A temporary folder that PostgreSQL's own user may pass through (pytest's tmp_path is closed to it)."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    return folder


def _start_guard(folder: Path) -> subprocess.Popen[bytes]:
    """Start the process that ends the servers once we are done or dead: its input closes with us."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.servers", str(folder), str(os.getpid())],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,  # Ctrl-C in the terminal is for pytest
    )


def _guard(folder: Path, parent: int) -> None:
    _wait_for_end(parent)
    stop(folder / "data")
    shutil.rmtree(folder, ignore_errors=True)


def _wait_for_end(parent: int) -> None:
    # A forked child of pytest may hold the pipe open after pytest's death, so its number is watched as well.
    closed = threading.Event()

    def read_to_the_end() -> None:
        sys.stdin.buffer.read()
        closed.set()

    threading.Thread(target=read_to_the_end, daemon=True).start()
    while not closed.is_set() and os.getppid() == parent:
        time.sleep(WATCH_SECONDS)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]), int(sys.argv[2]))
