"""`inventory-sync up` keeps a sync going: a worker that is killed in the middle is started again, by itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from api.commands.ports import free_pair
from tests.acceptance.trouble import ask_for_all, assert_all_right, quicken, town
from tests.fleet import ROOT, eventually

START_SECONDS = 60
END_SECONDS = 60


@dataclass
class Up:
    """A running `up`, and what it has said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """All of it."""
        return "".join(self.lines)

    def pids(self, role: str) -> list[int]:
        """The leaders that a role has had, the first one first."""
        return [int(pid) for pid in re.findall(rf"{role} started \(pid (\d+)\)", self.said)]


@pytest.fixture
def up(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """All roles of the Procfile on this test's servers, ready to work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "up", "--port", str(free_pair("127.0.0.1", 18_000)[0])],
        cwd=ROOT,
        env={**os.environ, **quicken(environment, monkeypatch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Up(process)
    threading.Thread(target=lambda: running.lines.extend(process.stdout or ()), daemon=True).start()
    try:
        eventually(lambda: "Ctrl-C" in running.said, seconds=START_SECONDS, what="a ready API")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        finally:
            sys.stdout.write(running.said[-8000:])  # pytest shows it where the test failed


def test_a_killed_worker_is_started_again_and_the_sync_ends_right(up: Up) -> None:
    with town() as place:
        place.hold_when("pushing")
        runs = ask_for_all()
        place.wait_until("pushing")

        os.kill(up.pids("worker-sync")[0], signal.SIGKILL)
        place.let_go()

        assert_all_right(place.shops, runs)
        eventually(lambda: len(up.pids("worker-sync")) == 2, seconds=START_SECONDS, what="a new worker")
        assert up.process.poll() is None
