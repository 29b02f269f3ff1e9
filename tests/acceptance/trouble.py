"""What the tests of trouble share: two shops that sync at once, a moment to strike at, and what must hold after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from models import config
from models.database import row
from models.site import Site
from models.sync_run import SyncRun
from tests.deliveries import SECRET
from tests.fleet import eventually
from tests.places import bigcommerce_site, company, wait_for_run, woocommerce_site
from tests.simulators.handles import BigCommerceHandle, ShopHandle, WooCommerceHandle
from tests.simulators.process import Simulators
from workers.full_sync.requests import request_sync_all

QUICK = {
    "JOB_LEASE_SECONDS": "4",
    "WRITE_DEADLINE_SECONDS": "3",
    "STORE_LEASE_SECONDS": "18",  # the write deadline and the fixed margin of 15 s
    "SETTLE_SECONDS": "8",  # over a write deadline, LATE_SECONDS and the landing, with room for a slow machine
}
LANDING = (0.2, 1.0)  # seconds
LATE_SECONDS = 1.0  # after the client gave up until an `apply_late` write is applied
HELD_MS = 1500  # what one call takes at the moment to strike at: below the write deadline
BIGCOMMERCE_SKUS = 4_000  # two write calls
WOOCOMMERCE_SKUS = 600  # a dozen write calls
RUN_SECONDS = 120

BIGCOMMERCE_WRITE = "PUT /inventory/adjustments/absolute"
WOOCOMMERCE_WRITES = "POST /products*/batch"
_LISTS = ("GET /catalog/products", "GET /products")
_MARKS = {
    # phase -> platform -> route, and the how-manieth of its calls the strike comes after
    "listing": {BigCommerceHandle: (_LISTS[0], 3), WooCommerceHandle: (_LISTS[1], 2)},
    "pushing": {BigCommerceHandle: (BIGCOMMERCE_WRITE, 1), WooCommerceHandle: (WOOCOMMERCE_WRITES, 2)},
}
PHASES = tuple(_MARKS)


def quicken(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment with leases and settling so short that a test outlives several."""
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    return {**environment, **QUICK}


@dataclass(frozen=True)
class Town:
    """BC, and shops of both platforms that sell its items."""

    simulators: Simulators
    sites: dict[ShopHandle, Site]

    @property
    def shops(self) -> list[ShopHandle]:
        """All shops, BigCommerce's first."""
        return list(self.sites)

    def hold_when(self, phase: str) -> None:
        """From the given moment on each shop takes HELD_MS for a call, so that it is surely under way."""
        for shop in self.shops:
            route, nth = _MARKS[phase][type(shop)]
            shop.after(route, {"action": "latency", "ms": HELD_MS}, nth=nth)

    def wait_until(self, phase: str) -> None:
        """Wait until every shop is being asked what it was told to hold."""
        for shop in self.shops:
            route, nth = _MARKS[phase][type(shop)]
            eventually(
                lambda shop=shop, route=route, nth=nth: calls(shop, route) > nth,  # type: ignore[misc]
                seconds=60,
                every=0.05,
                what=f"{shop.name} {phase}",
            )

    def let_go(self) -> None:
        """The shops are as quick as ever."""
        for shop in self.shops:
            shop.set_latency(0)


@contextmanager
def town(
    bigcommerce_skus: int = BIGCOMMERCE_SKUS, woocommerce_skus: int = WOOCOMMERCE_SKUS, stores: int = 1
) -> Iterator[Town]:
    """A company with a site on each platform, and more BigCommerce stores if asked for. Sites take signed webhooks."""
    with Simulators.start(
        bc_items=bigcommerce_skus + bigcommerce_skus // 4,
        bigcommerce_skus=bigcommerce_skus,
        woocommerce_skus=woocommerce_skus,
        bigcommerce=stores,
    ) as simulators:
        owner = company(simulators.bc)
        proof = {"webhook_secret": SECRET, "webhook_proofs": ["signature"]}
        sites: dict[ShopHandle, Site] = {}
        for store in simulators.bigcommerce:
            store.set_landing(*LANDING)
            sites[store] = bigcommerce_site(owner, store, channel_ids=store.channel_ids, **proof)
        for shop in simulators.woocommerce:
            sites[shop] = woocommerce_site(owner, shop, **proof)
        yield Town(simulators, sites)


def calls(shop: ShopHandle, route: str) -> int:
    """How many calls of a route a shop has seen; `*` stands for anything."""
    head, star, tail = route.partition("*")
    return sum(
        number
        for name, number in shop.calls().items()
        if (name.startswith(head) and name.endswith(tail) if star else name == route)
    )


def ask_for_all() -> list[int]:
    """Ask for a sync of all sites; the runs' ids, in the order of the sites."""
    return [asked.run_id for asked in request_sync_all(requested_by="test")]


def assert_all_right(shops: Sequence[ShopHandle], run_ids: Sequence[int]) -> list[SyncRun]:
    """Every run ends completed by itself, every SKU shows what it should, and nothing is left in doubt."""
    runs = [wait_for_run(run_id, RUN_SECONDS) for run_id in run_ids]
    assert [(run.status, run.error, run.failed) for run in runs] == [("completed", None, {})] * len(runs)
    assert_shops_right(shops)
    assert_nothing_in_doubt()
    return runs


def assert_shops_right(shops: Sequence[ShopHandle]) -> None:
    """Every SKU shows what it should, and no rule of a vendor was broken."""
    for shop in shops:
        found = shop.wait_until_landed()
        assert found.correct, (shop.name, found.wrong_rows, found.touched_rows)
        assert shop.violations() == {}, shop.counts()["examples"]


def assert_nothing_in_doubt() -> None:
    """No item's write has an unknown outcome, no push is undecided, no job is open that a run waits for."""
    assert row("SELECT count(*) FROM rm_items WHERE unsure") == (0,)
    assert row("SELECT count(*) FROM rm_pushes WHERE outcome IN ('planned', 'sending', 'unsure')") == (0,)
    open_jobs = (
        "SELECT count(*) FROM rm_queue WHERE run_id IS NOT NULL AND status IN ('pending', 'processing')"
    )
    assert row(open_jobs) == (0,)
