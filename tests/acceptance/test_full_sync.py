"""A full sync, end to end on real parts: every SKU of every shop ends as Business Central says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.database import rows
from tests.fleet import Fleet
from tests.places import bigcommerce_site, company, wait_for_run, woocommerce_site
from tests.simulators.process import Simulators
from workers.full_sync.requests import request_sync, request_sync_all

SKUS = 1500


@pytest.fixture
def simulators() -> Iterator[Simulators]:
    with Simulators.start(bc_items=2500, bigcommerce_skus=SKUS, woocommerce_skus=SKUS) as running:
        yield running


@pytest.fixture
def fleet(environment: dict[str, str]) -> Iterator[Fleet]:
    with Fleet(environment) as running:
        yield running


def test_every_sku_of_both_shops_shows_what_bc_has(
    database: str, simulators: Simulators, fleet: Fleet
) -> None:
    owner = company(simulators.bc)
    bigcommerce_site(owner, simulators.bigcommerce[0], channel_ids=simulators.bigcommerce[0].channel_ids)
    woocommerce_site(owner, simulators.woocommerce[0])

    runs = [wait_for_run(asked.run_id) for asked in request_sync_all(requested_by="test")]

    assert [(run.status, run.error) for run in runs] == [("completed", None)] * 2
    for shop in (simulators.bigcommerce[0], simulators.woocommerce[0]):
        found = shop.wait_until_landed()
        assert found.correct, found
        assert shop.violations() == {}
    assert simulators.bc.violations() == {}


def test_a_second_sync_pushes_nothing_and_writes_no_item(
    database: str, simulators: Simulators, fleet: Fleet
) -> None:
    owner = company(simulators.bc)
    sites = [
        bigcommerce_site(owner, simulators.bigcommerce[0], channel_ids=simulators.bigcommerce[0].channel_ids),
        woocommerce_site(owner, simulators.woocommerce[0]),
    ]
    for asked in request_sync_all(requested_by="test"):
        wait_for_run(asked.run_id)
    simulators.bigcommerce[0].wait_until_landed()
    versions = rows("SELECT id, xmin::text FROM rm_items ORDER BY id")

    again = [wait_for_run(request_sync(site.id, requested_by="test").run_id) for site in sites]

    assert [(run.status, run.pushed, run.to_push) for run in again] == [("completed", 0, 0)] * 2
    assert rows("SELECT id, xmin::text FROM rm_items ORDER BY id") == versions
