"""No worker holds a whole catalogue: five times the SKUs take about the same memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from models.database import execute
from tests.acceptance.test_full_sync import shop_of, site_of, world
from tests.fleet import Fleet
from tests.places import wait_for_run
from workers.full_sync.requests import request_sync

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
# BigCommerce's begin where a page of BC is full: below that, a page and what it takes still grow.
SIZES = {"bigcommerce": (20_000, 40_000), "woocommerce": (1_000, 5_000)}
FULL_SIZES = (20_000, 100_000)  # `make soak`
GROWTH = 1.2  # at most


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("platform", ["bigcommerce", "woocommerce"])
def test_a_worker_needs_as_much_memory_for_many_times_the_skus(fleet: Fleet, platform: str) -> None:
    few, many = FULL_SIZES if FULL_SIZE else SIZES[platform]
    sync(platform, few)  # the first sync warms: imports, connections, allocator
    worker = fleet.processes["worker-sync"].pid
    peaks = {}
    for skus in (few, many):
        forget_peaks(worker)
        sync(platform, skus)
        peaks[skus] = peak_kilobytes(worker)

    assert set(peaks[few]) == set(peaks[many])  # no process died in between
    for pid, before in peaks[few].items():
        assert peaks[many][pid] <= before * GROWTH, (peaks, pid)


def sync(platform: str, skus: int) -> None:
    """One right sync of a shop of its own."""
    with world(platform, skus) as simulators:
        shop = shop_of(simulators)
        run = wait_for_run(request_sync(site_of(simulators, shop).id, requested_by="test").run_id, 900)
        assert (run.status, run.error, run.failed) == ("completed", None, {})
        assert shop.wait_until_landed().correct
    execute("DELETE FROM rm_sites")
    execute("DELETE FROM rm_companies")


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in family(int(child)))]


def forget_peaks(pid: int) -> None:
    """Let VmHWM begin anew at what is resident now."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text("5")


def peak_kilobytes(pid: int) -> dict[int, int]:
    """VmHWM of each process of a family, kB."""
    peaks = {}
    for member in family(pid):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{member}/status").read_text())
        if found is not None:
            peaks[member] = int(found[1])
    return peaks
