"""Calls that stand at a gate until a test lets them go: what they say is what held when they were worked on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fleet import eventually
from tests.simulators.handles import BigCommerceHandle

from .conftest import Caller

LIST = "GET /catalog/products"


@pytest.mark.parametrize("early", [True, False], ids=["before it is worked on", "before it is answered"])
def test_a_held_call_tells_of_the_moment_at_which_it_was_worked_on(
    store: BigCommerceHandle, store_api: Caller, early: bool
) -> None:
    gate = f"early: {early}"
    before = store_api.get("/catalog/products", limit=1).json()["meta"]["pagination"]["total"]
    store.hold(LIST, gate, early=early)

    with ThreadPoolExecutor(1) as client:
        answer = client.submit(store_api.get, "/catalog/products", limit=1)
        eventually(lambda: store.held(gate) == 1, seconds=10, every=0.01, what="a call at the gate")
        store.create_product(sku=f"BORN-{early}", quantity=1)
        assert not answer.done()
        store.let_go(gate)
        total = answer.result(10).json()["meta"]["pagination"]["total"]

    assert total == before + early


def test_only_the_call_that_is_named_is_held(store: BigCommerceHandle, store_api: Caller) -> None:
    store.hold(LIST, "the second", nth=2)

    assert store_api.get("/catalog/products", limit=1).ok
    assert store.held("the second") == 0
    store.let_go("the second")
    assert store_api.get("/catalog/products", limit=1).ok
    assert store.held("the second") == 1
