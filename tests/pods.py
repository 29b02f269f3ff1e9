"""A role as a pod runs it: the Procfile's words, as process 1 of its own process namespace, ended by one SIGTERM.

As process 1 a program gets only the signals that it has a handler for: one without a handler for SIGTERM never ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from api import procfile
from tests.fleet import LOG_SHOWN, ROOT, eventually, free_port

_APART = ("unshare", "--pid", "--fork", "--kill-child")
_AS_NOBODY = (*_APART, "--user", "--map-root-user")


class Pod:
    """One role, from `with` to its end; SIGKILL where it was not ended before.

    tree: where the code and the Procfile are, for another version than the one that is tested.
    """

    def __init__(self, role: str, environment: Mapping[str, str], tree: Path = ROOT) -> None:
        self.role = role
        self.port = free_port()
        own = {"HOST": "127.0.0.1", "PORT": str(self.port), "WEBHOOK_PORT": str(self.port)}
        self._environment = {**os.environ, **environment, **own, "PYTHONPATH": str(tree)}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the pod
        command = procfile.expand(role, procfile.load(tree / "Procfile")[role], self._environment)
        self.process = subprocess.Popen(
            [*prefix(), *command],
            cwd=tree,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        sys.stdout.write(
            f"--- {self.role}\n{self.log()[-LOG_SHOWN:]}"
        )  # pytest shows it where the test failed
        self._log.close()

    def say_when(self, words: str, seconds: float = 60) -> None:
        """Wait until the log has these words."""
        eventually(lambda: words in self.log(), seconds=seconds, what=f"{words!r} of {self.role}")

    def term(self) -> None:
        """What the kubelet does first."""
        leader = self._leader()
        if leader is not None:
            leader.send_signal(signal.SIGTERM)

    def ended(self, seconds: float) -> int:
        """Its exit code. Fails where it takes longer."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"{self.role} has not ended within {seconds:.0f} s"
            time.sleep(0.02)
        code: int = self.process.returncode
        return code

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def log(self) -> str:
        """What it has said."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _leader(self) -> psutil.Process | None:
        process = psutil.Process(self.process.pid)
        if not prefix():
            return process
        # unshare itself only waits for the one that it has made process 1.
        return next(iter(process.children()), None)


@cache
def prefix() -> tuple[str, ...]:
    """What makes a command process 1; nothing on a system that has no such thing for us."""
    for words in (_APART, _AS_NOBODY):
        try:
            done = subprocess.run(
                [*words, sys.executable, "-c", "import os; print(os.getpid())"],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            return ()
        if done.stdout.strip() == "1":
            return words
    return ()
