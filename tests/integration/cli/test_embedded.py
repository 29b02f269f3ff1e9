"""The command line with nothing configured: servers of our own, started, joined and stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from api.commands.demo_world import clean_environment
from api.commands.ports import free_ports, is_free
from models.embedded import stop
from models.embedded.runtime import load_record
from tests.servers import temporary_folder

ROOT = Path(__file__).parents[3]
START_SECONDS = 60


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder for servers, which are stopped however the test ends."""
    folder = temporary_folder("inventory-sync-cli-")
    try:
        yield folder / "data"
    finally:
        stop(folder / "data")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def variables(data_dir: Path) -> dict[str, str]:
    """The environment of a newcomer: nothing is set but the folder."""
    return {**clean_environment(), "DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT)}


def program(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command's whole run."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_first_command_starts_servers_for_itself_and_stops_them(
    variables: dict[str, str], data_dir: Path
) -> None:
    made = program(variables, "token", "create", "--name", "me", "--scope", "read")

    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"ist_[\w-]+\n", made.stdout)
    assert load_record(data_dir) is None
    listed = program(variables, "token", "list", "--json")
    assert [token["name"] for token in json.loads(listed.stdout)] == ["me"]


def test_a_sync_with_nobody_to_do_it_says_so_at_once(variables: dict[str, str]) -> None:
    company = (
        *("company", "add", "--name", "C", "--tenant-id", "c.com", "--environment", "Production"),
        *("--company-id", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "--client-id", "a", "--client-secret", "s"),
    )
    site = (
        *("site", "add", "--name", "S", "--platform", "bigcommerce", "--company", "C"),
        *("--store-hash", "abc", "--access-token", "t"),
    )
    assert program(variables, *company).returncode == 0
    assert program(variables, *site).returncode == 0

    result = program(variables, "sync", "S")

    assert result.returncode == 4
    assert "start `inventory-sync up`" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_up_serves_is_joined_and_leaves_nothing_behind(variables: dict[str, str], data_dir: Path) -> None:
    port = _free_pair()
    up = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "up", "--port", str(port)],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(up.stdout or ()), daemon=True)
    reader.start()
    try:
        _until(lambda: any("Ctrl-C" in line for line in lines), lines)
        token = program(variables, "token", "create", "--name", "me", "--scope", "read").stdout.strip()
        answer = requests.get(
            f"http://127.0.0.1:{port}/api/v1/inventory/stats",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert answer.status_code == 200
        assert not is_free("127.0.0.1", port + 1)  # the receivers

        taken = program(variables, "up", "--port", str(port))
        assert taken.returncode == 1
        assert f"--port: {port} can't be listened on" in taken.stderr
    finally:
        up.send_signal(signal.SIGTERM)
        code = up.wait(60)
    assert code == 0, "".join(lines)
    assert load_record(data_dir) is None
    assert is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port + 1)


def _free_pair() -> int:
    while True:
        (port,) = free_ports("127.0.0.1", 1)
        if port < 65535 and is_free("127.0.0.1", port + 1):
            return port


def _until(check: Callable[[], bool], lines: list[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not check():
        assert time.monotonic() < deadline, "".join(lines)
        time.sleep(0.1)


def test_the_demo_takes_none_of_the_user_s_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS", "DATA_DIR", "data_dir"):
        monkeypatch.setenv(name, "the user's own")

    environment = clean_environment()

    assert "the user's own" not in environment.values()
    assert environment["PATH"] == os.environ["PATH"]
