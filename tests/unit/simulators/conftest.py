"""One set of simulators for all these tests; each test starts without faults and counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from tests.simulators.handles import BigCommerceHandle, BusinessCentralHandle, WooCommerceHandle
from tests.simulators.process import Simulators

from .receiver import Receiver

BC_SCOPE = "https://api.businesscentral.dynamics.com/.default"
TIMEOUT = 10


@dataclass
class Caller:
    """A client as simple as can be: a base URL, headers and credentials."""

    base: str
    session: requests.Session

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.session.get(self.base + path, params=params, timeout=TIMEOUT)

    def send(self, method: str, path: str, body: Any, **params: Any) -> requests.Response:
        return self.session.request(method, self.base + path, json=body, params=params, timeout=TIMEOUT)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@pytest.fixture(scope="session")
def running() -> Iterator[Simulators]:
    with Simulators.start(seed=7, bc_items=800, bigcommerce_skus=600, woocommerce_skus=400) as simulators:
        yield simulators
        assert [s.counts()["errors"] for s in simulators.all()] == [[], [], []], simulators.log()


@pytest.fixture
def simulators(running: Simulators) -> Simulators:
    running.set_faults()
    running.reset()
    return running


@pytest.fixture
def bc(simulators: Simulators) -> BusinessCentralHandle:
    return simulators.bc


def bc_token(bc: BusinessCentralHandle, **changed: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": bc.client_id,
        "client_secret": bc.client_secret,
        "scope": BC_SCOPE,
        **changed,
    }
    return requests.post(bc.token_url, data=form, timeout=TIMEOUT)


@pytest.fixture
def bc_api(bc: BusinessCentralHandle) -> Caller:
    session = _session()
    session.headers["Authorization"] = f"Bearer {bc_token(bc).json()['access_token']}"
    bc.reset()
    return Caller(f"{bc.api_url}/companies({bc.company_id})", session)


@pytest.fixture
def store(simulators: Simulators) -> BigCommerceHandle:
    return simulators.bigcommerce[0]


@pytest.fixture
def store_api(store: BigCommerceHandle) -> Caller:
    session = _session()
    session.headers.update({"X-Auth-Token": store.access_token, "Accept": "application/json"})
    return Caller(f"{store.api_url}/stores/{store.store_hash}/v3", session)


@pytest.fixture
def shop(simulators: Simulators) -> WooCommerceHandle:
    return simulators.woocommerce[0]


@pytest.fixture
def shop_api(shop: WooCommerceHandle) -> Caller:
    session = _session()
    session.auth = OAuth1(shop.consumer_key, shop.consumer_secret, signature_method="HMAC-SHA256")
    return Caller(f"{shop.url}/wp-json/wc/v3", session)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where webhooks are sent to."""
    with Receiver() as running:
        yield running
