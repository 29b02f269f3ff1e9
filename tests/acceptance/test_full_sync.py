"""A full sync, end to end on real parts: every SKU of every shop ends as Business Central says."""

from __future__ import annotations

import pytest

from models.database import rows
from models.site import Site
from tests.fleet import Fleet
from tests.places import bigcommerce_site, company, wait_for_run, woocommerce_site
from tests.simulators.handles import BigCommerceHandle, ShopHandle, WooCommerceHandle
from tests.simulators.process import Simulators
from workers.full_sync.requests import request_sync, request_sync_all

SKUS = 20_000
FAULTS = 0.03
HOLD_SECONDS = 6.0  # that a call hangs: over the tests' write deadline, so that no write is answered


def site_of(owner_of: Simulators, shop: ShopHandle) -> Site:
    """A company and a site for one simulated shop."""
    owner = company(owner_of.bc)
    if isinstance(shop, BigCommerceHandle):
        return bigcommerce_site(owner, shop, channel_ids=shop.channel_ids)
    assert isinstance(shop, WooCommerceHandle)
    return woocommerce_site(owner, shop)


def world(platform: str, skus: int) -> Simulators:
    """BC and one shop of the platform."""
    return Simulators.start(
        bc_items=skus + skus // 4,
        bigcommerce=int(platform == "bigcommerce"),
        woocommerce=int(platform == "woocommerce"),
        bigcommerce_skus=skus,
        woocommerce_skus=skus,
    )


def shop_of(simulators: Simulators) -> ShopHandle:
    """The one shop of a world."""
    return [*simulators.bigcommerce, *simulators.woocommerce][0]


@pytest.mark.parametrize("platform", ["bigcommerce", "woocommerce"])
def test_all_20_000_skus_show_what_bc_has(fleet: Fleet, platform: str) -> None:
    with world(platform, SKUS) as simulators:
        shop = shop_of(simulators)
        site = site_of(simulators, shop)

        run = wait_for_run(request_sync(site.id, requested_by="test").run_id, 200)

        assert (run.status, run.error, run.failed) == ("completed", None, {})
        found = shop.wait_until_landed()
        assert found.correct, (found.wrong_rows, found.touched_rows)
        assert found.right == run.pushed + run.unchanged
        assert (shop.violations(), simulators.bc.violations()) == ({}, {})
        assert run.fewest_calls is not None
        assert run.calls <= run.fewest_calls + 12  # what is fixed: token, locations, settings, borders


@pytest.mark.parametrize("platform", ["bigcommerce", "woocommerce"])
def test_all_20_000_skus_are_right_although_3_percent_of_all_calls_fail(fleet: Fleet, platform: str) -> None:
    with world(platform, SKUS) as simulators:
        shop = shop_of(simulators)
        site = site_of(simulators, shop)
        shop.set_faults(rate=FAULTS, seed=7, hold_seconds=HOLD_SECONDS)
        simulators.bc.set_faults(rate=FAULTS, seed=8, hold_seconds=HOLD_SECONDS)

        run = wait_for_run(request_sync(site.id, requested_by="test").run_id, 280)

        assert (run.status, run.error, run.failed) == ("completed", None, {})
        shop.set_faults()
        found = shop.wait_until_landed()
        assert found.correct, (found.wrong_rows, found.touched_rows)
        assert shop.violations() == {}


def test_a_second_sync_pushes_nothing_and_writes_no_item(fleet: Fleet) -> None:
    with Simulators.start(bc_items=2000, bigcommerce_skus=1500, woocommerce_skus=1500) as simulators:
        owner = company(simulators.bc)
        store = simulators.bigcommerce[0]
        bigcommerce_site(owner, store, channel_ids=store.channel_ids)
        woocommerce_site(owner, simulators.woocommerce[0])
        for asked in request_sync_all(requested_by="test"):
            wait_for_run(asked.run_id)
        store.wait_until_landed()
        versions = rows("SELECT id, xmin::text FROM rm_items ORDER BY id")

        again = [wait_for_run(asked.run_id) for asked in request_sync_all(requested_by="test")]

        assert [(run.status, run.pushed, run.to_push) for run in again] == [("completed", 0, 0)] * 2
        assert rows("SELECT id, xmin::text FROM rm_items ORDER BY id") == versions
