"""The product's own processes as a test runs them: each role a real process, started and killed by id."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from api import procfile

ROOT = Path(__file__).parent.parent
PORTS = range(20_000, 32_000)  # Linux gives those from 32,768 on to outgoing connections
THREADS = 4
LOG_SHOWN = int(os.environ.get("TEST_LOG_SHOWN", "8000"))  # characters of the processes' log

_WORKER = ("-m", "dramatiq", "{worker}", "--processes", "1", "--skip-logging")
COMMANDS: dict[str, tuple[str, ...]] = {
    "worker-sync": (*_WORKER, "--threads", str(THREADS), "--queues", "sync"),
    "worker-webhooks": (*_WORKER, "--threads", "2", "--queues", "webhooks"),
    "dispatcher": ("-m", "workers.dispatcher"),
    "scheduler": ("-m", "workers.schedule"),
    "webhook": (
        *("-m", "gunicorn", "--bind", "127.0.0.1:{webhook_port}", "--workers", "1", "--threads", "8"),
        *("--config", "python:api.gunicorn_conf", "--log-level", "warning", "api.receiver.app:create_app()"),
    ),
}
TUNING = {"dramatiq_queue_prefetch": str(THREADS), "dramatiq_worker_timeout": "100"}
PRODUCTION = ("webhook", "worker-webhooks", "worker-sync", "dispatcher", "scheduler")
"""All that works in a production Procfile; only the API isn't there."""


class Fleet:
    """Workers and dispatcher on the database and Redis of `environment`; all gone at the end.

    A role with a number behind it, as `worker-sync:2`, is one more of the same.
    by_procfile: each role as the Procfile has it, instead of the lighter COMMANDS.
    worker: what a worker loads instead, for what only a test would do in it.
    """

    def __init__(
        self,
        environment: dict[str, str],
        roles: Sequence[str] = ("worker-sync", "dispatcher"),
        *,
        by_procfile: bool = False,
        worker: str = "workers.main",
    ) -> None:
        self._environment = {**os.environ, **TUNING, **environment}
        self._roles = roles
        self._by_procfile = by_procfile
        self._worker = worker
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the fleet
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.webhook_port = free_port()

    def __enter__(self) -> Self:
        for role in self._roles:
            self.start(role)
        if "webhook" in self._roles:
            self.wait_for_receiver()
        return self

    @property
    def webhook_url(self) -> str:
        """Where the receivers listen; `/webhooks/...` comes behind it."""
        return f"http://127.0.0.1:{self.webhook_port}"

    def wait_for_receiver(self) -> None:
        """Wait until the receivers take connections."""
        eventually(self.receiver_listens, seconds=30, what="the receiver")

    def receiver_listens(self) -> bool:
        """Whether the receivers take connections now."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.webhook_port)) == 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for role in list(self.processes):
            self.signal(role, signal.SIGTERM)
        for role in list(self.processes):
            self._reap(role, seconds=10)
        sys.stdout.write(self.log()[-LOG_SHOWN:])  # pytest shows it where the test failed
        self._log.close()

    def start(self, role: str) -> None:
        """Start a role in a process group of its own."""
        self.processes[role] = subprocess.Popen(
            self._command(role),
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _command(self, name: str) -> list[str]:
        role = name.partition(":")[0]
        if self._by_procfile:
            values = {**self._environment, "HOST": "127.0.0.1", "WEBHOOK_PORT": str(self.webhook_port)}
            return procfile.expand(role, procfile.load()[role], values)
        return [
            sys.executable,
            *(part.format(webhook_port=self.webhook_port, worker=self._worker) for part in COMMANDS[role]),
        ]

    def signal(self, role: str, number: signal.Signals) -> None:
        """Signal a role; SIGKILL and SIGSTOP reach whatever it started too.

        SIGTERM goes to the leader alone: dramatiq takes a second one for "at once".
        """
        process = self.processes[role]
        if process.poll() is not None:
            return
        if number is signal.SIGTERM:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)

    def kill(self, role: str) -> None:
        """SIGKILL a role: no goodbye."""
        self.signal(role, signal.SIGKILL)
        self.processes[role].wait()

    def restart(self, role: str) -> None:
        """SIGKILL and start again, as a supervisor would."""
        self.kill(role)
        self.start(role)

    def log(self) -> str:
        """What all processes have said."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _reap(self, role: str, seconds: float) -> None:
        process = self.processes.pop(role)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """A port that nobody listens on now, and that no outgoing connection takes before somebody does."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def eventually(check: Callable[[], bool], *, seconds: float, every: float = 0.1, what: str = "it") -> None:
    """Wait until `check` holds; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds:.0f} s")
        time.sleep(every)
