"""Real processes that all want to call at once, and a witness that doesn't ask Redis."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import redis

    from tests.simulators.handles import BigCommerceHandle


@dataclass(frozen=True)
class Call:
    """One call by the machine's own clock, which all processes share (CLOCK_MONOTONIC)."""

    process: int
    start: float
    end: float


def hammer(
    *,
    processes: int,
    threads: int,
    seconds: float,
    at_once: int,
    quota: int = 0,
    window: float = 60.0,
    settle: float = 0.0,
    call_seconds: float = 0.03,
) -> list[Call]:
    """Let processes call for `seconds` through one gate whose record is old enough for the whole quota."""
    from workers.redis_client import client

    be_old(client())
    arguments = [str(value) for value in (threads, seconds, at_once, quota, window, settle, call_seconds)]
    command = [sys.executable, "-m", "tests.integration.clients.hammer", *arguments]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) for _ in range(processes)
    ]
    calls = []
    for process in running:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        for line in output.splitlines():
            start, end = line.split()
            calls.append(Call(process.pid, float(start), float(end)))
    return calls


def be_old(redis_client: redis.Redis) -> None:
    """Give the limits a record that goes back further than any window, so that whole quotas hold."""
    redis_client.hset("inventory-sync:limits", mapping={"record": "old", "born": 1})


def hammer_store(store: BigCommerceHandle, *, processes: int, threads: int) -> list[subprocess.Popen[str]]:
    """Processes that call a simulated BigCommerce store through its limit until they are killed."""
    arguments = [str(threads), store.api_url, store.store_hash, store.access_token]
    command = [sys.executable, "-m", "tests.integration.clients.hammer", "store", *arguments]
    return [subprocess.Popen(command, text=True, env=os.environ) for _ in range(processes)]


def _call_store_for_ever(url: str, store_hash: str, token: str) -> None:
    from workers.clients.bigcommerce_api import BigCommerceApi, BigCommerceConnection
    from workers.errors import MustWait, RateLimited
    from workers.limits import bigcommerce_gate

    api = BigCommerceApi(
        BigCommerceConnection(1, store_hash, token, api_url=url), bigcommerce_gate(url, store_hash)
    )
    while True:
        try:
            api.request("GET", "v3/channels", route="channels")
        except MustWait as wait:
            time.sleep(min(wait.seconds / 4, 0.1))
        except RateLimited:
            pass  # the store has counted it


def _call_for_ever(gate: object, until: float, call_seconds: float, calls: list[str]) -> None:
    from workers.errors import MustWait
    from workers.limits import SlotGate

    assert isinstance(gate, SlotGate)
    while time.monotonic() < until:
        try:
            with gate.enter("items", False):
                start = time.monotonic()
                time.sleep(call_seconds)
                calls.append(f"{start} {time.monotonic()}")
        except MustWait as wait:
            time.sleep(min(wait.seconds / 4, 0.2))


def _main() -> None:
    from workers.limits import SlotGate

    if sys.argv[1] == "store":
        threads, *where = sys.argv[2:]
        for _ in range(int(threads)):
            threading.Thread(target=_call_store_for_ever, args=where).start()
        return
    callers, seconds, at_once, quota, window, settle, call_seconds = map(float, sys.argv[1:])
    gate = SlotGate("Vendor", "hammer", at_once=int(at_once), quota=int(quota), window=window, settle=settle)
    calls: list[str] = []
    until = time.monotonic() + seconds
    crowd = [
        threading.Thread(target=_call_for_ever, args=(gate, until, call_seconds, calls))
        for _ in range(int(callers))
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    for call in calls:
        print(call)  # noqa: T201 - read by hammer() above


if __name__ == "__main__":
    _main()
