"""An empty company with an empty shop of each platform; a test puts in what it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.company import Company
from tests.integration.sync.shops import BigCommerceShop, Shop, Shops, WooCommerceShop
from tests.places import company
from tests.simulators.handles import BusinessCentralHandle
from tests.simulators.process import Simulators
from workers.clients import business_central_tokens

SHOPS = 60  # of each platform in one process of simulators: two for each of thirty tests


class Supply:
    """Shops that no test has used. Starting a process for every test would take longer than the test."""

    def __init__(self) -> None:
        self._running: Simulators | None = None
        self._used = 0

    def take(self) -> Shops:
        """Business Central, emptied, and the next two shops of each platform."""
        if self._running is None or self._used + 2 > SHOPS:
            self.stop()
            self._running = Simulators.start(
                bc_items=0, bigcommerce=SHOPS, bigcommerce_skus=0, woocommerce=SHOPS, woocommerce_skus=0
            )
            self._used = 0
        mine = slice(self._used, self._used + 2)
        self._used += 2
        return Shops(self._running.bc, self._running.bigcommerce[mine], self._running.woocommerce[mine])

    def stop(self) -> None:
        """End the process."""
        if self._running is not None:
            self._running.stop()
            self._running = None


_SUPPLY = pytest.StashKey[Supply]()


def supply(config: pytest.Config) -> Supply:
    """The one supply of this run of the tests; no fixture, so that other folders can import `simulators` alone."""
    if _SUPPLY not in config.stash:
        config.stash[_SUPPLY] = Supply()
        config.add_cleanup(config.stash[_SUPPLY].stop)
    return config.stash[_SUPPLY]


@pytest.fixture
def simulators(
    request: pytest.FixtureRequest, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shops]:
    """Business Central and two shops of each platform, all empty. None may hear what it must refuse."""
    monkeypatch.setattr(business_central_tokens, "_tokens", {})  # as a process that has only just begun
    shops = supply(request.config).take()
    yield shops
    for simulator in (shops.bc, *shops.bigcommerce, *shops.woocommerce):
        assert simulator.violations() == {}, simulator.counts()["examples"]
        assert simulator.counts()["errors"] == []
    shops.clear_bc()


@pytest.fixture
def bc(simulators: Shops) -> BusinessCentralHandle:
    """Business Central, without items."""
    return simulators.bc


@pytest.fixture
def owner(bc: BusinessCentralHandle) -> Company:
    """Its company."""
    return company(bc)


@pytest.fixture
def store(simulators: Shops, owner: Company) -> BigCommerceShop:
    """A BigCommerce store; writes show at once."""
    return BigCommerceShop(simulators.bc, owner, simulators.bigcommerce[0])


@pytest.fixture
def woo(simulators: Shops, owner: Company) -> WooCommerceShop:
    """A WooCommerce shop."""
    return WooCommerceShop(simulators.bc, owner, simulators.woocommerce[0])


@pytest.fixture(params=["bigcommerce", "woocommerce"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """One of each platform in turn."""
    found: Shop = request.getfixturevalue("store" if request.param == "bigcommerce" else "woo")
    return found
