"""The receivers in this process, or, as the API and the panel too, as a pod runs them: by gunicorn, on a free port."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from flask import Flask

from api import procfile
from api.gunicorn_conf import RECEIVER
from api.receiver.app import create_app
from tests.fleet import LOG_SHOWN, eventually, free_port

ROOT = Path(__file__).parent.parent
START_SECONDS = 30


@contextmanager
def receiving() -> Iterator[Flask]:
    """The receivers' app in this process. What it does beside the requests ends with the block."""
    app = create_app()
    try:
        yield app
    finally:
        app.extensions[RECEIVER].end()


class Gunicorn:
    """One process of a role, `webhook` or `web`, by the Procfile's own line, and gone at the end.

    `app` puts another app in its place.
    """

    def __init__(
        self, environment: Mapping[str, str], app: str | None = None, *, role: str = "webhook"
    ) -> None:
        self.port = free_port()
        port = "WEBHOOK_PORT" if role == "webhook" else "PORT"
        values = {**os.environ, **environment, "HOST": "127.0.0.1", port: str(self.port)}
        command = procfile.expand(role, procfile.load()[role], values)
        if app is not None:
            command[-1] = app
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=values,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        try:
            eventually(self._answers, seconds=START_SECONDS, every=0.05, what=f"gunicorn {self.log()}")
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        sys.stdout.write(self.log()[-LOG_SHOWN:])  # pytest shows it where the test failed
        self._log.close()

    def kill(self) -> None:
        """SIGKILL, workers too: no goodbye."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        """A connection that is kept from one request to the next."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of the answer, on a connection of its own."""
        connection = self.connect()
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def log(self) -> str:
        """What the process has said."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        connection = self.connect()
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
