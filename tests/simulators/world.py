"""One company and the shops that sell its items, each with its server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .bigcommerce import catalogue as bigcommerce_catalogue
from .bigcommerce.controls import BigCommerceControls
from .bigcommerce.simulator import BigCommerceSimulator
from .bigcommerce.store import BigCommerceStore, Location
from .bigcommerce.store import now_text as bigcommerce_now
from .business_central.controls import BusinessCentralControls
from .business_central.simulator import BusinessCentralSimulator
from .business_central.store import BusinessCentralStore
from .catalogue import bc_items
from .simulator import Simulator
from .tls import self_signed
from .woocommerce import catalogue as woocommerce_catalogue
from .woocommerce.controls import WooCommerceControls
from .woocommerce.simulator import WooCommerceSimulator
from .woocommerce.store import WooCommerceStore

# Location 1 always exists but need not be the one that sells: who hard-codes 1 is refused.
DEFAULT_LOCATION = 7


@dataclass(frozen=True)
class Plan:
    """How big, how many, from which seed."""

    seed: int = 1
    bc_items: int = 1000
    bigcommerce: int = 1
    bigcommerce_skus: int = 1000
    woocommerce: int = 1
    woocommerce_skus: int = 500
    woocommerce_tls: bool = False
    latency_ms: float = 0
    only: tuple[str, ...] = ("bc", "bigcommerce", "woocommerce")
    ports: dict[str, int] = field(default_factory=dict)  # by simulator name; others take any free port


class World:
    """Every simulator of this process, started."""

    def __init__(self, plan: Plan) -> None:
        items = bc_items(plan.seed, plan.bc_items)
        self._plan = plan
        self.bc_store = BusinessCentralStore(plan.seed, items)
        self.bc = BusinessCentralSimulator("bc", self.bc_store, plan.seed, plan.ports.get("bc", 0))
        BusinessCentralControls(self.bc)
        self.bigcommerce = []
        for number in range(plan.bigcommerce if "bigcommerce" in plan.only else 0):
            self.bigcommerce.append(self._bigcommerce(f"bigcommerce-{number}", items))
        self.certificate = ""
        self.woocommerce = []
        for number in range(plan.woocommerce if "woocommerce" in plan.only else 0):
            self.woocommerce.append(self._woocommerce(f"woocommerce-{number}", items))
        self._start()

    def _bigcommerce(self, name: str, items: list[Any]) -> BigCommerceSimulator:
        places = [
            Location(1, "BC-LOCATION-1", False, False),
            Location(DEFAULT_LOCATION, "WAREHOUSE", True, True),
        ]
        store = BigCommerceStore(places, bigcommerce_catalogue.CHANNELS)
        for product in bigcommerce_catalogue.products(
            self._plan.seed, name, items, self._plan.bigcommerce_skus, DEFAULT_LOCATION, bigcommerce_now()
        ):
            store.add(product)
        simulator = BigCommerceSimulator(name, store, self._plan.seed, self._plan.ports.get(name, 0))
        BigCommerceControls(simulator, self.bc_store.stock)
        return simulator

    def _woocommerce(self, name: str, items: list[Any]) -> WooCommerceSimulator:
        store = WooCommerceStore()
        for product in woocommerce_catalogue.products(
            self._plan.seed, name, items, self._plan.woocommerce_skus
        ):
            store.add(product)
        tls = None
        if self._plan.woocommerce_tls:
            tls, certificate = self_signed()
            self.certificate += certificate
        port = self._plan.ports.get(name, 0)
        simulator = WooCommerceSimulator(name, store, self._plan.seed, port, tls)
        WooCommerceControls(simulator, self.bc_store.stock)
        return simulator

    def simulators(self) -> list[Simulator]:
        return [self.bc, *self.bigcommerce, *self.woocommerce]

    def _start(self) -> None:
        panels = {simulator.name: simulator.control for simulator in self.simulators()}
        for simulator in self.simulators():
            simulator.control.panels = panels
            simulator.control.add(world=lambda body: self.describe())
            simulator.latency_seconds = self._plan.latency_ms / 1000
            simulator.server.start()

    def stop(self) -> None:
        for simulator in self.simulators():
            simulator.server.stop()

    def describe(self) -> dict[str, Any]:
        """URLs and credentials: what an operator would type in, and where the control API is."""
        return {
            "bc": {
                "name": self.bc.name,
                "url": self.bc.server.url,
                "api_url": self.bc.api_url,
                "token_url": self.bc.token_url,
                "tenant_id": self.bc.tenant_id,
                "environment": self.bc.environment,
                "company_id": self.bc.company_id,
                "empty_company_id": self.bc.empty_company_id,
                "client_id": self.bc.oauth.client_id,
                "client_secret": self.bc.oauth.client_secret,
            },
            "bigcommerce": [
                {
                    "name": shop.name,
                    "url": shop.server.url,
                    "api_url": shop.server.url,  # the client appends /stores/{store_hash}/v3
                    "store_hash": shop.identity.store_hash,
                    "access_token": shop.identity.access_token,
                    "client_secret": shop.identity.client_secret,
                    "channel_ids": list(bigcommerce_catalogue.OUR_CHANNELS),
                }
                for shop in self.bigcommerce
            ],
            "woocommerce": [
                {
                    "name": shop.name,
                    "url": shop.server.url,
                    "consumer_key": shop.gate.key.consumer_key,
                    "consumer_secret": shop.gate.key.consumer_secret,
                }
                for shop in self.woocommerce
            ],
            "certificate": self.certificate,  # PEM; empty without TLS
        }
