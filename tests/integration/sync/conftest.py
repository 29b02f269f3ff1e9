"""An empty company with an empty shop of each platform; a test puts in what it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.company import Company
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.places import company
from tests.simulators.handles import BusinessCentralHandle
from tests.simulators.process import Simulators


@pytest.fixture
def simulators(database: str) -> Iterator[Simulators]:
    """Business Central and two shops of each platform, all empty. None may hear what it must refuse."""
    with Simulators.start(
        bc_items=0, bigcommerce=2, bigcommerce_skus=0, woocommerce=2, woocommerce_skus=0
    ) as running:
        yield running
        for simulator in running.all():
            assert simulator.violations() == {}, simulator.counts()["examples"]


@pytest.fixture
def bc(simulators: Simulators) -> BusinessCentralHandle:
    """Business Central, without items."""
    return simulators.bc


@pytest.fixture
def owner(bc: BusinessCentralHandle) -> Company:
    """Its company."""
    return company(bc)


@pytest.fixture
def store(simulators: Simulators, owner: Company) -> BigCommerceShop:
    """A BigCommerce store; writes show at once."""
    return BigCommerceShop(simulators.bc, owner, simulators.bigcommerce[0])


@pytest.fixture
def woo(simulators: Simulators, owner: Company) -> WooCommerceShop:
    """A WooCommerce shop."""
    return WooCommerceShop(simulators.bc, owner, simulators.woocommerce[0])


@pytest.fixture(params=["bigcommerce", "woocommerce"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """One of each platform in turn."""
    found: Shop = request.getfixturevalue("store" if request.param == "bigcommerce" else "woo")
    return found
