"""The demo, as `make demo` runs it, on small catalogues."""

from __future__ import annotations

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

from tests.servers import temporary_folder

ROOT = Path(__file__).parents[2]
SMALL = ("--bigcommerce-skus", "600", "--woocommerce-skus", "250", "--seed", "7")
FULL = ("--bigcommerce-skus", "20000", "--woocommerce-skus", "5000")
SIZE = FULL if os.environ.get("FULL_SIZE") == "1" else SMALL
LONGEST_SECONDS = 90  # what the demo may take until its report, on two cores


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the demo works; it removes what it made there itself."""
    place = temporary_folder("inventory-sync-demo-test-")
    try:
        yield place / "demo"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """The demo as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "demo", "--data-dir", str(folder), *SIZE, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_every_sku_is_right_and_the_report_says_so(folder: Path) -> None:
    process = start(folder, "--exit")

    report, _ = process.communicate(timeout=240)

    assert process.returncode == 0, report
    assert "Every SKU is right" in report
    figures = {name.strip(): values.split() for name, values in re.findall(r"^(.+?)  +(\d.*)$", report, re.M)}
    assert figures["wrong"] == figures["touched, but should not be"] == figures["failed"] == ["0", "0"]
    for name in ("pushed", "skipped, unknown", "skipped, untracked", "calls made", "fewest possible"):
        assert all(int(value.replace(",", "")) > 0 for value in figures[name]), (name, report)
    shown = re.search(r"Shown (\d+) s after the start", report)
    assert shown is not None
    assert int(shown[1]) <= LONGEST_SECONDS
    assert "broke the vendor's rule" not in report
    assert not folder.exists()


def test_it_stays_up_to_be_played_with_until_it_is_ended(folder: Path) -> None:
    process = start(folder)
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True).start()
    try:
        _until(lambda: any("-X POST" in line for line in lines), lines)
        text = "".join(lines)
        stats = re.search(r"curl -s -H '(Authorization: Bearer \S+)' (\S+/inventory/stats)", text)
        assert stats is not None, text
        name, _, value = stats[1].partition(": ")
        answer = requests.get(stats[2], headers={name: value}, timeout=10)
        assert [site["site_id"] for site in answer.json()["last_syncs"]] == ["1", "2"]
        assert "Everything is right" in _overview(text)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(90)
    assert code == 0, "".join(lines)
    assert not folder.exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(stats[2], timeout=5)


def _overview(said: str) -> str:
    """The panel's first page, as whoever reads the demo's last lines gets there."""
    found = re.search(r"panel stays up at (\S+)/ .*?Sign in as:\s+(\S+)\s+(\S+)", said, re.DOTALL)
    assert found is not None, said
    url, name, password = found.groups()
    with requests.Session() as browser:
        form = browser.get(f"{url}/sign-in", timeout=10).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        assert token is not None
        fields = {"csrf_token": token[1], "name": name, "password": password}
        return browser.post(f"{url}/sign-in", data=fields, timeout=10).text


def test_a_folder_with_other_people_s_files_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("do not touch")

    process = start(folder, "--exit")
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "is not empty" in said
    assert [entry.name for entry in folder.iterdir()] == ["thesis.txt"]


def _until(check: Callable[[], bool], lines: list[str]) -> None:
    deadline = time.monotonic() + 240
    while not check():
        assert time.monotonic() < deadline, "".join(lines)
        time.sleep(0.1)
