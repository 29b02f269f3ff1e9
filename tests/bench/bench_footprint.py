"""What each role of the Procfile takes of memory and CPU during a full sync and a burst of webhooks: `make bench`.

Requests and limits in k8s/base come from this table.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
import psutil

from tests.acceptance.trouble import ask_for_all, town
from tests.fleet import PRODUCTION, Fleet, free_port
from tests.places import wait_for_run
from tests.simulators.handles import BigCommerceHandle

BIGCOMMERCE_SKUS = 40_000
WOOCOMMERCE_SKUS = 5_000
WEBHOOKS = 600
SETTLE_SECONDS = 10.0
LOOK_SECONDS = 0.5


@dataclass
class Use:
    """Of one role: the most memory (a process's own and its part of what is shared) and the CPU so far."""

    mebibytes: float = 0.0
    seconds: float = 0.0


def bench_footprint(environment: dict[str, str]) -> None:
    """Both shops synced in full, then a burst of webhooks of one of them."""
    ports = {"PORT": str(free_port())}
    with (
        town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place,
        Fleet({**environment, **ports}, ("web", *PRODUCTION), by_procfile=True) as fleet,
    ):
        time.sleep(SETTLE_SECONDS)
        began = time.monotonic()
        with watching(fleet) as uses:
            for run in ask_for_all():
                assert wait_for_run(run, 600).status == "completed"
            took = time.monotonic() - began
            shop, site = next(iter(place.sites.items()))
            assert isinstance(shop, BigCommerceHandle)
            shop.add_hook("store/product/*", f"{fleet.webhook_url}/webhooks/bigcommerce/{site.id}")
            for found in shop.truth()[:WEBHOOKS]:
                shop.emit("store/product/updated", product_id=found["product_id"])
            time.sleep(SETTLE_SECONDS)
    click.echo(f"{BIGCOMMERCE_SKUS + WOOCOMMERCE_SKUS} SKUs in {took:.0f} s, then {WEBHOOKS} webhooks:")
    for role, use in uses.items():
        click.echo(f"  {role:16} {use.mebibytes:6.0f} MiB at most, {use.seconds:5.1f} s of CPU")


@contextmanager
def watching(fleet: Fleet) -> Iterator[dict[str, Use]]:
    """Look at all roles again and again."""
    uses = {role: Use() for role in fleet.processes}
    before = {role: look(process.pid) for role, process in fleet.processes.items()}
    over = threading.Event()

    def run() -> None:
        while not over.wait(LOOK_SECONDS):
            for role, process in fleet.processes.items():
                seen = look(process.pid)
                uses[role].mebibytes = max(uses[role].mebibytes, seen.mebibytes)
                uses[role].seconds = seen.seconds - before[role].seconds

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield uses
    finally:
        over.set()
        thread.join()


def look(pid: int) -> Use:
    """A role's processes together."""
    leader = psutil.Process(pid)
    family = [leader, *leader.children(recursive=True)]
    return Use(
        sum(one.memory_full_info().pss for one in family) / 2**20,
        sum(one.cpu_times().user + one.cpu_times().system for one in family),
    )
