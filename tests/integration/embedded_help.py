"""Acts that the tests of the embedded servers share."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg2
import redis

from models.embedded import Runtime, stop
from tests.servers import temporary_folder

ROOT = Path(__file__).parent.parent.parent
WAIT_SECONDS = 60.0
AS_ROOT = os.geteuid() == 0


@contextmanager
def data_folder(name: str = "data") -> Iterator[Path]:
    """A place for DATA_DIR, emptied of servers and files at the end."""
    parent = temporary_folder("inventory-sync-embedded-")
    try:
        yield parent / name
    finally:
        stop(parent / name)
        shutil.rmtree(parent)


def python(code: str, **environment: str) -> subprocess.Popen[str]:
    """Run code in a process of its own, with its output to be read."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )


def starter(data_dir: Path) -> subprocess.Popen[str]:
    """A process that starts the servers and then stays; its first line tells their process numbers."""
    return python(
        "import time; from pathlib import Path; from models.embedded import running\n"
        f"with running(Path({str(data_dir)!r})) as runtime:\n"
        "    print(*sorted(runtime.pids.values()), runtime.started_by_us, flush=True)\n"
        "    time.sleep(600)\n"
    )


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line that a process prints, or its error."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    return line.strip() or process.stderr.read()


def kill(*pids: int) -> None:
    """Kill processes without warning, and wait until they are gone."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(lives(pid) for pid in pids))


def lives(pid: int) -> bool:
    """Whether a process runs; one that is only not reaped yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(holds: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement in a transaction of its own."""
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def remember(runtime: Runtime) -> None:
    """Put one thing into each server."""
    execute(runtime.database_url, "CREATE TABLE kept AS SELECT 42 AS value")
    with redis.Redis.from_url(runtime.redis_url) as client:
        client.set("kept", "42")
    time.sleep(1.1)  # the append-only file reaches the disk once a second


def remembered(runtime: Runtime) -> tuple[object, object]:
    """What the servers say was put into them."""
    with redis.Redis.from_url(runtime.redis_url, decode_responses=True) as client:
        return execute(runtime.database_url, "SELECT value FROM kept")[0][0], client.get("kept")
