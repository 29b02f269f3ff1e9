"""The process that the simulators run in: it starts ready and never outlives who started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from tests.simulators.process import ROOT, Simulators

SMALL = ["--bc-items=20", "--bigcommerce-skus=10", "--woocommerce-skus=10"]


def test_several_shops_sell_the_items_of_one_company() -> None:
    with Simulators.start(
        bc_items=60, bigcommerce=2, bigcommerce_skus=30, woocommerce=2, woocommerce_skus=20
    ) as all_of:
        assert len(all_of.bigcommerce) == len(all_of.woocommerce) == 2
        assert all_of.bigcommerce[0].store_hash != all_of.bigcommerce[1].store_hash
        numbers = set(all_of.bc.stock())
        sold = [
            {row["key"] for row in shop.truth()} & numbers
            for shop in (*all_of.bigcommerce, *all_of.woocommerce)
        ]
        assert set.intersection(*sold)
        before = all_of.woocommerce[0].compare().wrong
        assert before
        pid = all_of.process.pid
    assert not psutil.pid_exists(pid)


def test_sigterm_ends_it_at_once() -> None:
    simulators = Simulators.start(bc_items=20, bigcommerce_skus=10, woocommerce_skus=10)
    started = time.monotonic()
    simulators.process.send_signal(signal.SIGTERM)
    assert simulators.process.wait(5) == 0
    assert time.monotonic() - started < 1
    simulators.stop()


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    code = (
        "import os, subprocess, sys, time;"
        "command = [sys.executable, '-m', 'tests.simulators', *sys.argv[1:]];"
        "subprocess.Popen([*command, f'--parent-pid={os.getpid()}']);"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, *SMALL, f"--json-ready={ready}"], cwd=ROOT)
    try:
        end = time.monotonic() + 20
        while not ready.exists() and time.monotonic() < end:
            time.sleep(0.05)
        (child,) = psutil.Process(parent.pid).children()
        url = json.loads(ready.read_text())["bc"]["url"]
        assert requests.get(f"{url}/__control__/ping", timeout=5).json() == {"name": "bc"}
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    psutil.wait_procs([child], timeout=5)
    assert not child.is_running()


def test_a_port_can_be_fixed_and_a_taken_one_is_an_error() -> None:
    with Simulators.start(bc_items=20, bigcommerce=0, woocommerce=0) as first:
        port = int(first.bc.url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="did not start"):
            Simulators.start(bc_items=20, bigcommerce=0, woocommerce=0, ports={"bc": port})
    with Simulators.start(bc_items=20, bigcommerce=0, woocommerce=0, ports={"bc": port}) as again:
        assert again.bc.url.endswith(f":{port}")
