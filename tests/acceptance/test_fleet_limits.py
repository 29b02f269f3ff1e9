"""Four workers, and limits that are the whole fleet's: whatever they do together, each vendor allows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from models import setting
from models.database import execute
from models.site import Site
from tests.acceptance.trouble import LANDING, ask_for_all, quicken
from tests.fleet import Fleet, eventually
from tests.places import bigcommerce_site, company, wait_for_run, woocommerce_site
from tests.simulators.handles import BigCommerceHandle, SimulatorHandle
from tests.simulators.process import Simulators
from workers import limits

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
WORKERS = 4  # processes, of four threads each
# Full size: below the 20,000 keys that are asked for by number at most.
BIGCOMMERCE_SKUS = 12_000 if FULL_SIZE else 2_000
WOOCOMMERCE_SKUS = 5_000 if FULL_SIZE else 400
QUOTA, WINDOW_SECONDS = (60, 10) if FULL_SIZE else (20, 3)  # of the store, as its headers tell
CHANNELS = (1, 3)  # no product is in both
LATENCY_MS = 100  # else hardly two calls would ever be under way at once
NUMBERS_LATENCY_MS = LATENCY_MS if FULL_SIZE else 400  # few calls, which are to meet on a busy machine, too
SCAN_LATENCY_MS = 5 if FULL_SIZE else LATENCY_MS  # a scan makes one call after the other
BC_PAGE_ROWS = 500  # one page holds all that can be asked for by number in one call
SCAN_PAGE_ROWS = 4 if FULL_SIZE else BC_PAGE_ROWS
# Of Business Central's calls. Full size: more than half of what five minutes allow.
FORGET_AT = 3_500 if FULL_SIZE else 3
RUN_SECONDS = 1_200 if FULL_SIZE else 120

pytestmark = pytest.mark.timeout(2_000)


@dataclass(frozen=True)
class Place:
    """One company, whose stock two sites of one store and two shops show."""

    simulators: Simulators
    store: BigCommerceHandle
    sites: list[Site]

    def assert_right(self) -> None:
        """Every SKU of every channel shows what it should, and nothing else was touched.

        Each channel is a site: an SKU is ambiguous beside others of its own channel alone.
        """
        landed = self.store.wait_until_landed(channels=list(CHANNELS))
        assert landed.pending_writes == 0
        elsewhere = {row_id(row) for row in self.store.truth() if row["writes"]}
        for channel in CHANNELS:
            truth = self.store.truth(channels=[channel])
            own = [row for row in truth if "other_channel" not in row["reasons"]]
            assert [row for row in own if row["expected"] not in (None, row["shown"])] == []
            assert [row for row in own if row["expected"] is None and row["writes"]] == []
            elsewhere -= {row_id(row) for row in own}
        assert elsewhere == set()
        for shop in self.simulators.woocommerce:
            found = shop.wait_until_landed()
            assert found.correct, (found.wrong_rows, found.touched_rows)

    def assert_within_limits(self) -> None:
        """No vendor had to refuse a call."""
        for vendor in self.simulators.all():
            counts = vendor.counts()
            print(vendor.name, sum(counts["calls"].values()), "calls, peaks", counts["peaks"], flush=True)  # noqa: T201
            assert counts["violations"] == {}, counts["examples"]
            assert "429" not in {status for of in counts["statuses"].values() for status in of}
        assert 3 <= peak(self.simulators.bc, "requests") <= limits.BC_AT_ONCE  # below 3 nothing was tried
        for shop in self.simulators.woocommerce:
            assert 2 <= peak(shop, "requests") <= limits.WOOCOMMERCE_AT_ONCE


def row_id(row: dict[str, Any]) -> tuple[int, int]:
    """The shop's own."""
    return row["product_id"], row.get("variant_id") or 0


def peak(vendor: SimulatorHandle, name: str) -> int:
    """The most that the simulator has counted."""
    return int(vendor.counts()["peaks"][name])


@contextmanager
def four_workers(environment: dict[str, str]) -> Iterator[None]:
    """And one dispatcher."""
    with ExitStack() as stack:
        stack.enter_context(Fleet(environment))
        for _ in range(WORKERS - 1):
            stack.enter_context(Fleet(environment, ["worker-sync"]))
        yield


@pytest.fixture
def place(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Vendors that refuse whatever exceeds their limits, and count it as a violation."""
    with (
        four_workers(quicken(environment, monkeypatch)),
        Simulators.start(
            bc_items=BIGCOMMERCE_SKUS + BIGCOMMERCE_SKUS // 4,
            bigcommerce_skus=BIGCOMMERCE_SKUS,
            woocommerce_skus=WOOCOMMERCE_SKUS,
            woocommerce=2,
            latency_ms=LATENCY_MS,
        ) as simulators,
    ):
        simulators.bc.configure(queued=0, max_page_size=SCAN_PAGE_ROWS)
        store = simulators.bigcommerce[0]
        store.configure(quota=QUOTA, window_seconds=WINDOW_SECONDS)
        store.set_landing(*LANDING)
        owner = company(simulators.bc)
        sites = [
            bigcommerce_site(owner, store, name=f"Channel {channel}", channel_ids=[channel])
            for channel in CHANNELS
        ]
        sites += [woocommerce_site(owner, shop) for shop in simulators.woocommerce]
        yield Place(simulators, store, sites)


def forget_everything(environment: dict[str, str]) -> None:
    """FLUSHALL, as far as this test's own database goes."""
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        client.flushdb()


def assert_completed(run_ids: list[int]) -> None:
    """All come through."""
    runs = [wait_for_run(run_id, RUN_SECONDS) for run_id in run_ids]
    assert [(run.status, run.error, run.failed) for run in runs] == [("completed", None, {})] * len(runs)


def test_four_workers_keep_every_limit_although_redis_forgets_them_in_the_middle(
    place: Place, environment: dict[str, str]
) -> None:
    bc, store = place.simulators.bc, place.store
    bc.set_latency(SCAN_LATENCY_MS)
    runs = ask_for_all()
    for vendor, calls in ((store, QUOTA // 3), (bc, FORGET_AT)):
        eventually(
            lambda vendor=vendor, calls=calls: vendor.total_calls() > calls,  # type: ignore[misc]
            seconds=RUN_SECONDS,
            every=0.05,
            what=f"{calls} calls of {vendor.name}",
        )
        forget_everything(environment)
    assert_completed(runs)
    place.assert_right()

    # From now on each key is asked for by number: many calls that all may be made at once.
    setting.change("guard_least_skus", 1_000_000)
    execute("UPDATE rm_companies SET item_count = 2000000000")
    bc.configure(max_page_size=BC_PAGE_ROWS)
    bc.set_latency(NUMBERS_LATENCY_MS)
    before = bc.total_calls()
    runs = ask_for_all()
    eventually(lambda: bc.total_calls() > before + 4, seconds=RUN_SECONDS, every=0.05, what="reads by number")
    forget_everything(environment)
    assert_completed(runs)

    place.assert_right()
    place.assert_within_limits()
