"""Everything that can go wrong on the way, on purpose."""

from __future__ import annotations

import time

import pytest
import requests

from tests.simulators.faults import KINDS, FaultPlan, Rule
from tests.simulators.handles import (
    BigCommerceHandle,
    BusinessCentralHandle,
    ControlError,
    SimulatorHandle,
    WooCommerceHandle,
)

from .conftest import Caller, bc_token

LIST = "GET /catalog/products"
ABSOLUTE = "PUT /inventory/adjustments/absolute"


def adjust(caller: Caller, product: int, quantity: int) -> requests.Response:
    row = {"location_id": 7, "product_id": product, "quantity": quantity}
    return caller.send("PUT", "/inventory/adjustments/absolute", {"reason": "sync", "items": [row]})


def one_fault(vendor: SimulatorHandle, kind: str, route: str = LIST, **plan: float) -> None:
    vendor.set_faults(rules=[{"route": route, "kind": kind}], **plan)


def test_a_plan_is_repeated_by_its_seed() -> None:
    plans = [FaultPlan(rate=0.3, seed=5) for _ in range(2)]
    drawn = [[plan.draw(LIST) for _ in range(200)] for plan in plans]
    assert drawn[0] == drawn[1]
    assert 30 < sum(kind is not None for kind in drawn[0]) < 90


def test_rules_count_the_calls_of_their_route() -> None:
    plan = FaultPlan(rules=[Rule("500", route="GET /catalog/*", nth=2, count=2)])
    drawn = [plan.draw(route) for route in (LIST, "GET /channels", LIST, LIST, LIST)]
    assert drawn == [None, None, "500", "500", None]


def test_a_route_with_brackets_is_matched_as_it_stands() -> None:
    items = "GET /companies({company})/items"
    assert FaultPlan(rules=[Rule("reset", route=items)]).draw(items) == "reset"
    assert FaultPlan(rules=[Rule("reset", route=items)]).draw("GET /companies({company})") is None


def test_an_unknown_kind_is_refused(store: BigCommerceHandle) -> None:
    with pytest.raises(ControlError, match="unknown fault kinds"):
        store.set_faults(rules=[{"kind": "explode"}])


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("503", 503), ("429", 429), ("html_502", 502)])
def test_an_error_status_comes_once_and_then_all_is_well(
    store: BigCommerceHandle, store_api: Caller, kind: str, status: int
) -> None:
    one_fault(store, kind)
    assert [store_api.get("/catalog/products").status_code for _ in range(2)] == [status, 200]
    assert store.counts()["faults"] == {kind: 1}


def test_a_429_comes_with_headers_or_bare(store: BigCommerceHandle, store_api: Caller) -> None:
    one_fault(store, "429", retry_after=2)
    headers = store_api.get("/catalog/products").headers
    assert (headers["X-Rate-Limit-Time-Reset-Ms"], headers["X-Rate-Limit-Requests-Left"]) == ("2000", "0")
    one_fault(store, "429_bare")
    bare = store_api.get("/catalog/products").headers
    assert not [name for name in bare if name.lower().startswith("x-r") or name.lower() == "retry-after"]


def test_a_503_comes_with_a_header_or_bare(
    store: BigCommerceHandle, store_api: Caller, shop: WooCommerceHandle, shop_api: Caller
) -> None:
    for kind, told in (("503", "2"), ("503_bare", None)):
        one_fault(store, kind, retry_after=2)
        one_fault(shop, kind, "GET /products", retry_after=2)
        answers = store_api.get("/catalog/products"), shop_api.get("/products")
        assert [answer.status_code for answer in answers] == [503, 503]
        assert answers[0].headers.get("X-Retry-After") == told
        assert answers[1].headers.get("Retry-After") == told


def test_a_page_can_be_given_twice(store: BigCommerceHandle, store_api: Caller) -> None:
    store.set_faults(rules=[{"route": LIST, "kind": "repeated", "nth": 2}])
    pages = [store_api.get("/catalog/products", limit=5, page=page) for page in (1, 2, 2)]
    assert pages[0].content == pages[1].content != pages[2].content
    assert {page.status_code for page in pages} == {200}


def test_html_can_come_with_200(store: BigCommerceHandle, store_api: Caller) -> None:
    one_fault(store, "html_200")
    answer = store_api.get("/catalog/products")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.status_code == 200


def test_json_can_be_cut_with_or_without_saying_so(store: BigCommerceHandle, store_api: Caller) -> None:
    one_fault(store, "truncated")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        store_api.get("/catalog/products").json()
    one_fault(store, "cut_off")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        store_api.get("/catalog/products")


def test_a_reset_applies_nothing_and_an_applied_write_can_be_reset(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    store.set_landing(0, 0)
    product = store.create_product(sku="RESET-1", quantity=1)["product_id"]
    one_fault(store, "reset", ABSOLUTE)
    with pytest.raises(requests.exceptions.ConnectionError):
        adjust(store_api, product, 5)
    assert store.row(product_id=product)["on_hand"] == {"7": 1}
    one_fault(store, "apply_then_reset", ABSOLUTE)
    with pytest.raises(requests.exceptions.ConnectionError):
        adjust(store_api, product, 6)
    assert store.row(product_id=product)["on_hand"] == {"7": 6}


def test_a_write_can_be_applied_long_after_its_client_gave_up(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    store.set_landing(0, 0)
    product = store.create_product(sku="LATE-2", quantity=1)["product_id"]
    one_fault(store, "apply_late", ABSOLUTE, late_seconds=0.5)
    row = {"location_id": 7, "product_id": product, "quantity": 9}
    with pytest.raises(requests.exceptions.ReadTimeout):
        store_api.session.put(
            f"{store_api.base}/inventory/adjustments/absolute",
            json={"reason": "s", "items": [row]},
            timeout=0.3,
        )
    assert adjust(store_api, product, 5).status_code == 200
    assert store.row(product_id=product)["on_hand"] == {"7": 5}
    assert store.compare().pending_writes == 1
    store.wait_until_landed()
    assert store.row(product_id=product)["on_hand"] == {"7": 9}
    assert store.violations() == {}  # who gave up is not writing any more


def test_an_endless_answer_trickles_on_past_the_read_timeout(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    one_fault(store, "slow")
    started = time.monotonic()
    with store_api.session.get(f"{store_api.base}/catalog/products", stream=True, timeout=2) as answer:
        assert answer.status_code == 200
        for received, _ in enumerate(answer.iter_content(1)):
            if received == 4:
                break
    assert time.monotonic() - started > 2


def test_a_revoked_token_is_refused_until_a_new_one_is_asked_for(
    bc: BusinessCentralHandle, bc_api: Caller
) -> None:
    bc.set_faults(rules=[{"route": "GET *items", "kind": "token_revoked"}])
    assert [bc_api.get("/items", **{"$top": 1}).status_code for _ in range(2)] == [401, 401]
    bc_api.session.headers["Authorization"] = f"Bearer {bc_token(bc).json()['access_token']}"
    assert bc_api.get("/items", **{"$top": 1}).status_code == 200


def test_latency_is_added_to_each_call(store: BigCommerceHandle, store_api: Caller) -> None:
    store.set_latency(150)
    started = time.monotonic()
    store_api.get("/channels")
    store.set_latency(0)
    assert 0.15 <= time.monotonic() - started < 1


def test_a_hosts_429_is_html_on_woocommerce(shop: WooCommerceHandle, shop_api: Caller) -> None:
    shop.set_faults(rules=[{"kind": "429"}])
    answer = shop_api.get("/products")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_every_kind_says_what_it_does() -> None:
    assert all(KINDS.values())
