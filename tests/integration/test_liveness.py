"""The file that a worker touches: as long as all its threads turn, whatever Redis does, and no longer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq
import pytest
import redis
from redis.backoff import ConstantBackoff

from tests.fleet import eventually, free_port
from workers import alive
from workers.liveness import Liveness, SigningBroker, SigningRetry

QUEUE = "sync"
LOOK = 0.05  # seconds
SHORT = 0.5  # seconds; what a thread may take before it counts as hung
MISSED = 1.0  # seconds without a touch: many looks

Fixture = tuple[SigningBroker, dramatiq.Worker]


def test_an_idle_worker_touches_its_file(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "alive"

    with worker(environment["REDIS_URL"], file):
        eventually(file.exists, seconds=10)
        first = file.stat().st_mtime_ns

        eventually(lambda: file.stat().st_mtime_ns > first, seconds=10, what="another touch")


def test_a_worker_whose_redis_is_away_goes_on_touching(tmp_path: Path) -> None:
    """A restart would bring no Redis back."""
    file = tmp_path / "alive"

    with worker(f"redis://127.0.0.1:{free_port()}/0", file):
        eventually(file.exists, seconds=10)
        time.sleep(2 * MISSED)

        assert not untouched_for(MISSED, file)


def test_a_worker_whose_redis_swallows_everything_goes_on_touching(silent_redis: str, tmp_path: Path) -> None:
    file = tmp_path / "alive"

    with worker(silent_redis, file):
        eventually(file.exists, seconds=10)
        time.sleep(2 * MISSED)

        assert not untouched_for(MISSED, file)


def test_a_worker_whose_threads_are_all_busy_goes_on_touching(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file, let_go = tmp_path / "alive", threading.Event()

    with worker(environment["REDIS_URL"], file, busy_seconds=60) as (broker, made):
        hold(broker, let_go, messages=made.worker_threads + 2)
        eventually(lambda: made.work_queue.qsize() == 2, seconds=10)
        time.sleep(2 * MISSED)

        assert not untouched_for(MISSED, file)
        let_go.set()


def test_a_thread_that_hangs_in_a_job_ends_the_touching(environment: dict[str, str], tmp_path: Path) -> None:
    file, let_go = tmp_path / "alive", threading.Event()

    with worker(environment["REDIS_URL"], file) as (broker, _):
        eventually(file.exists, seconds=10)
        hold(broker, let_go, messages=1)

        eventually(lambda: untouched_for(MISSED, file), seconds=20, what="silence")
        let_go.set()
        eventually(lambda: not untouched_for(MISSED, file), seconds=20, what="life")


def test_a_consumer_that_hangs_ends_the_touching(environment: dict[str, str], tmp_path: Path) -> None:
    file, let_go = tmp_path / "alive", threading.Event()

    class ConsumersHang(dramatiq.Middleware):
        def after_consumer_thread_boot(self, broker: dramatiq.Broker, thread: threading.Thread) -> None:
            let_go.wait(30)

    with worker(environment["REDIS_URL"], file, also=ConsumersHang()):
        eventually(lambda: untouched_for(MISSED, file), seconds=20, what="silence")
        let_go.set()
        eventually(lambda: not untouched_for(MISSED, file), seconds=20, what="life")


def test_a_worker_thread_that_died_ends_the_touching(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "alive"

    with worker(environment["REDIS_URL"], file) as (_, made):
        eventually(file.exists, seconds=10)
        made.workers[0].stop()

        eventually(lambda: untouched_for(MISSED, file), seconds=20, what="silence")


def test_messages_that_no_idle_thread_takes_end_the_touching(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "alive"

    with worker(environment["REDIS_URL"], file) as (broker, made):
        eventually(file.exists, seconds=10)
        for thread in made.workers:
            thread.pause()  # dramatiq's own way to let a thread come round and take nothing
        hold(broker, threading.Event(), messages=1)

        eventually(lambda: untouched_for(MISSED, file), seconds=20, what="silence")


@pytest.mark.parametrize(
    ("age", "code"), [(0.0, alive.ALIVE), (100.0, alive.HANGS)], ids=["touched just now", "long ago"]
)
def test_the_command_tells_the_age_of_the_file(age: float, code: int, tmp_path: Path) -> None:
    file = tmp_path / "alive"
    file.touch()
    os.utime(file, times=(time.time() - age, time.time() - age))

    assert ask(file, "--seconds", "60") == code


def test_the_command_fails_where_nothing_was_touched_yet(tmp_path: Path) -> None:
    assert ask(tmp_path / "alive", "--seconds", "60") == alive.HANGS


@pytest.mark.parametrize("arguments", [(), ("--seconds",), ("--seconds", "soon"), ("--seconds", "0")])
def test_the_command_refuses_what_it_does_not_understand(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert ask(tmp_path / "alive", *arguments) == alive.MISUSED


def test_the_command_loads_nothing_of_the_product(tmp_path: Path) -> None:
    """It runs in every pod every few seconds."""
    code = "import sys; from workers import alive; print(sorted(m for m in sys.modules if '.' not in m))"

    loaded = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)

    assert not {"pydantic", "dramatiq", "redis", "peewee", "structlog", "models"} & set(eval(loaded.stdout))


def ask(file: Path, *arguments: str) -> int:
    """The exit code of `python -m workers.alive`."""
    command = [sys.executable, "-m", "workers.alive", *arguments]
    return subprocess.run(command, env={**os.environ, "ALIVE_FILE": str(file)}, check=False).returncode


@contextmanager
def worker(
    url: str, file: Path, *, also: dramatiq.Middleware | None = None, busy_seconds: float = SHORT
) -> Iterator[Fixture]:
    """A worker of the product's broker with two threads, whose patience is short."""
    liveness = Liveness(
        file,
        look_seconds=LOOK,
        silent_seconds=MISSED,
        busy_seconds=busy_seconds,
        lying_seconds=SHORT,
    )
    client = redis.Redis.from_url(
        url,
        socket_timeout=SHORT,
        socket_connect_timeout=SHORT,
        retry=SigningRetry(ConstantBackoff(LOOK), 100),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError],
    )
    broker = SigningBroker(client=client, middleware=[liveness, *([also] if also else [])])
    broker.declare_queue(QUEUE)
    made = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    made.start()
    try:
        yield broker, made
    finally:
        liveness.before_worker_shutdown(broker, made)
        for thread in made.workers:
            thread.resume()
            thread.stop()
        for consumer in made.consumers.values():
            consumer.stop()


def hold(broker: SigningBroker, let_go: threading.Event, *, messages: int) -> None:
    """Send messages that each keep a thread until `let_go`, or for half a minute."""
    actor: dramatiq.Actor[[], None] = dramatiq.Actor(
        lambda: void(let_go.wait(30)),
        broker=broker,
        actor_name="hold",
        queue_name=QUEUE,
        priority=0,
        options={},
    )
    for _ in range(messages):
        actor.send()


def void(_: object) -> None:
    """Drop what an actor must not give."""


def untouched_for(seconds: float, file: Path) -> bool:
    """Whether the file has not been touched for so long; a file that isn't there never was."""
    return not file.exists() or time.time() - file.stat().st_mtime > seconds


@pytest.fixture
def silent_redis() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
