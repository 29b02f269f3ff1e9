"""A BigCommerce store as a client meets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulators.bigcommerce.simulator import ALL_SCOPES
from tests.simulators.handles import BigCommerceHandle
from tests.simulators.process import Simulators

from .conftest import TIMEOUT, Caller

ABSOLUTE = "/inventory/adjustments/absolute"
LOCATION = 7


@pytest.fixture(autouse=True)
def plain_settings(store: BigCommerceHandle) -> Iterator[None]:
    store.set_landing(0, 0)
    yield
    store.land_all()
    store.set_latency(0)
    store.configure(quota=100_000, window_seconds=30, headers_on_429=True, https_hooks_only=False)


def adjust(caller: Caller, *items: dict[str, Any]) -> Any:
    rows = [{"location_id": LOCATION, **item} for item in items]
    return caller.send("PUT", ABSOLUTE, {"reason": "sync", "items": rows})


def all_products(caller: Caller, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        body = caller.get("/catalog/products", page=page, limit=250, sort="id", **params).json()
        rows += body["data"]
        if page >= body["meta"]["pagination"]["total_pages"]:
            return rows
        page += 1


def test_the_whole_catalogue_can_be_read_by_pages_or_by_ranges_of_id(store_api: Caller) -> None:
    by_page = all_products(store_api, include="variants")
    by_range: list[dict[str, Any]] = []
    while True:
        last = by_range[-1]["id"] if by_range else 0
        params = {"id:greater": last, "limit": 100, "sort": "id", "include": "variants"}
        rows = store_api.get("/catalog/products", **params).json()["data"]
        if not rows:
            break
        by_range += rows
    assert by_page == by_range
    assert sum(len(row["variants"]) for row in by_page) >= 600


def test_channels_visibility_and_ids_filter_the_listing(store_api: Caller) -> None:
    everything = {row["id"] for row in all_products(store_api)}
    ours = {row["id"] for row in all_products(store_api, **{"channel_id:in": "1"})}
    assigned = store_api.get(
        "/catalog/products/channel-assignments", **{"channel_id:in": "1", "limit": 250}
    ).json()
    assert ours < everything
    assert {row["product_id"] for row in assigned["data"]} <= ours
    assert {row["is_visible"] for row in all_products(store_api, is_visible="false")} == {False}
    some = sorted(everything)[:3]
    listed = store_api.get("/catalog/products", **{"id:in": ",".join(map(str, some)), "sort": "id"}).json()[
        "data"
    ]
    assert [row["id"] for row in listed] == some
    ranged = all_products(store_api, **{"id:min": some[0], "id:max": some[2]})
    assert [row["id"] for row in ranged] == some
    assert len(all_products(store_api, **{"id:greater": some[0], "id:less": some[2]})) == 1


def test_fields_slim_the_product_but_not_its_variants(store_api: Caller) -> None:
    row = store_api.get("/catalog/products", include="variants", include_fields="sku", limit=1).json()[
        "data"
    ][0]
    assert set(row) == {"id", "sku", "variants"}
    assert "option_values" in row["variants"][0]


def test_a_limit_over_250_or_an_unknown_filter_is_refused_and_counted(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    assert store_api.get("/catalog/products", limit=251).status_code == 422
    assert store_api.get("/catalog/variants", **{"sku:in": "A"}).status_code == 422
    assert store.violations() == {"limit_over_max": 1, "unknown_filter": 1}


def test_options_lower_the_limit_to_ten(store_api: Caller) -> None:
    assert len(store_api.get("/catalog/products", include="options").json()["data"]) == 10
    assert store_api.get("/catalog/products", include="options", limit=50).status_code == 422


def test_the_default_location_must_be_discovered(store_api: Caller) -> None:
    (default,) = store_api.get("/inventory/locations", is_default="true").json()["data"]
    everything = store_api.get("/inventory/locations").json()["data"]
    assert default["id"] == LOCATION
    assert [place["id"] for place in everything if not place["enabled"]] == [1]


def test_an_absolute_write_is_accepted_now_and_shown_later(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    product = store.create_product(sku="LATE-1", quantity=3)["product_id"]
    store.set_landing(0.3, 0.4)
    answer = adjust(store_api, {"product_id": product, "quantity": 8})
    assert answer.status_code == 200
    assert set(answer.json()) == {"transaction_id"}
    shown = store_api.get("/inventory/items", **{"product_id:in": product}).json()["data"][0]["locations"]
    assert [p["total_inventory_onhand"] for p in shown if p["location_id"] == LOCATION] == [3]
    assert store.compare().pending_writes == 1
    store.wait_until_landed()
    assert store.row(product_id=product)["on_hand"] == {str(LOCATION): 8}
    last = store.writes()[-1]
    assert (last["previous"], last["quantity"]) == (3, 8)
    assert last["landed_at"] - last["received_at"] >= 0.3


def test_writes_sent_one_after_the_other_land_in_order(store: BigCommerceHandle, store_api: Caller) -> None:
    product = store.create_product(sku="ORDER-1", quantity=0)["product_id"]
    store.set_landing(0.05, 0.4)
    for quantity in range(1, 11):
        adjust(store_api, {"product_id": product, "quantity": quantity})
    store.wait_until_landed()
    assert store.row(product_id=product)["on_hand"] == {str(LOCATION): 10}
    assert store.violations() == {}


def test_two_writes_at_once_are_served_but_counted(store: BigCommerceHandle, store_api: Caller) -> None:
    product = store.create_product(sku="RACE-1", quantity=0)["product_id"]
    store.set_latency(200)
    threads = [
        threading.Thread(target=adjust, args=(store_api, {"product_id": product, "quantity": quantity}))
        for quantity in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.violations() == {"concurrent_writes": 1}
    assert len([w for w in store.writes() if w["product_id"] == product]) == 2


@pytest.mark.parametrize(
    ("item", "violation"),
    [
        ({"product_id": 1, "quantity": -1}, "bad_quantity"),
        ({"product_id": 1, "quantity": 1.5}, "bad_quantity"),
        ({"product_id": 1, "quantity": "5"}, "bad_quantity"),
        ({"product_id": 1, "quantity": True}, "bad_quantity"),
        ({"product_id": 1, "quantity": 2_147_483_648}, "bad_quantity"),
        ({"product_id": 1, "variant_id": 2, "quantity": 1}, "bad_identity"),
        ({"quantity": 1}, "bad_identity"),
        ({"product_id": 1, "quantity": 1, "location_id": 1}, "bad_location"),
        ({"product_id": 1, "quantity": 1, "location_id": 99}, "bad_location"),
    ],
)
def test_a_malformed_write_is_refused_and_counted(
    store: BigCommerceHandle, store_api: Caller, item: dict[str, Any], violation: str
) -> None:
    answer = adjust(store_api, item)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert store.violations() == {violation: 1}


def test_more_than_2000_rows_are_refused(store: BigCommerceHandle, store_api: Caller) -> None:
    assert adjust(store_api, *[{"product_id": 1, "quantity": 1}] * 2001).status_code == 422
    assert store.violations() == {"too_many_items": 1}


def test_identity_follows_tracking_and_one_bad_row_fails_its_batch(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    simple = store.create_product(sku="TRACK-1", quantity=1)
    by_variant = store.create_product(variants=[{"sku": "TRACK-2"}, {"sku": "TRACK-3"}])
    untracked = store.create_product(sku="TRACK-4", tracking="none")
    base_variant = simple["variant_ids"][0]
    answer = adjust(
        store_api,
        {"product_id": simple["product_id"], "quantity": 9},
        {"variant_id": base_variant, "quantity": 9},
    )
    text = f"[Item with variant_id {base_variant} is tracked by product, please update stock by product id]"
    assert (answer.status_code, answer.json()["title"]) == (422, text)
    assert store.row(product_id=simple["product_id"])["writes"] == 0
    assert adjust(store_api, {"product_id": by_variant["product_id"], "quantity": 9}).status_code == 422
    assert adjust(store_api, {"product_id": untracked["product_id"], "quantity": 9}).status_code == 422
    assert adjust(store_api, {"sku": "TRACK-1", "quantity": 9}).status_code == 422
    assert adjust(store_api, {"product_id": 1, "quantity": 9}).status_code == 422
    assert adjust(store_api, {"sku": "track-2", "quantity": 9}).status_code == 200
    assert adjust(store_api, {"variant_id": by_variant["variant_ids"][1], "quantity": 9}).status_code == 200
    assert store.counts()["refusals"] == {"tracking_mismatch": 4, "unknown_identity": 1}
    assert store.violations() == {}


def test_a_shops_own_safety_stock_is_not_available_to_sell(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    product = store.create_product(sku="SAFE-1", quantity=10, safety_stock=4)["product_id"]
    (item,) = store_api.get(
        "/inventory/items", **{"product_id:in": product, "location_id:in": LOCATION}
    ).json()["data"]
    (place,) = item["locations"]
    assert (place["total_inventory_onhand"], place["available_to_sell"]) == (10, 6)
    (row,) = store_api.get("/catalog/products", **{"id:in": product}).json()["data"]
    assert row["inventory_level"] == 6


def test_a_site_sees_its_channels_and_a_product_of_two_sites_is_contested(store: BigCommerceHandle) -> None:
    ours = store.create_product(sku="CHANNEL-1", channels=[1])["product_id"]
    both = store.create_product(sku="CHANNEL-2", channels=[1, 2])["product_id"]
    theirs = store.create_product(sku="CHANNEL-3", channels=[2])["product_id"]
    rows = {row["product_id"]: row["reasons"] for row in store.truth(channels=[1], other_channels=[2])}
    assert rows[ours] == ["unknown"]
    assert rows[both] == ["contested", "unknown"]
    assert rows[theirs] == ["other_channel", "unknown"]
    assert store.compare(channels=[]).untouched_reasons.get("other_channel") is None


def test_stock_stands_at_locations_and_the_catalogue_shows_their_sum(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    product = store.create_product(sku="PLACES-1", quantity=4)["product_id"]
    before = store.control("locations")["locations"]
    second = {"id": 9, "code": "SECOND", "enabled": True, "is_default": False}
    store.control("locations", locations=[*before, second])
    try:
        assert adjust(store_api, {"product_id": product, "location_id": 9, "quantity": 6}).status_code == 200
        (row,) = store_api.get("/catalog/products", **{"id:in": product}).json()["data"]
        (item,) = store_api.get("/inventory/items", **{"product_id:in": product}).json()["data"]
        stock = {place["location_id"]: place["total_inventory_onhand"] for place in item["locations"]}
        assert row["inventory_level"] == 10
        assert stock == {1: 0, 7: 4, 9: 6}
    finally:
        store.control("locations", locations=before)


def test_the_quota_is_told_in_headers_and_a_429_may_come_without(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    store.configure(quota=2, window_seconds=30)
    first = store_api.get("/channels")
    assert first.headers["X-Rate-Limit-Requests-Quota"] == "2"
    assert first.headers["X-Rate-Limit-Requests-Left"] == "1"
    store_api.get("/channels")
    refused = store_api.get("/channels")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["X-Rate-Limit-Time-Reset-Ms"]) <= 30_000
    assert store.violations() == {"quota_overspent": 1}
    store.configure(headers_on_429=False)
    assert "X-Rate-Limit-Time-Reset-Ms" not in store_api.get("/channels").headers


def test_token_scope_accept_and_store_hash_are_checked(store: BigCommerceHandle, store_api: Caller) -> None:
    session = store_api.session
    store.configure(scopes=["store_v2_products_read_only"])
    assert store_api.get("/catalog/products", limit=1).status_code == 200
    assert store_api.get("/inventory/items").status_code == 403
    store.configure(scopes=sorted(ALL_SCOPES - {"store_v2_information_read_only"}))
    other = store_api.base.replace(store.store_hash, "someoneelse")
    assert session.get(f"{other}/channels", timeout=TIMEOUT).status_code == 404
    assert (
        session.get(f"{store_api.base}/channels", headers={"Accept": "*/*"}, timeout=TIMEOUT).status_code
        == 406
    )
    assert (
        session.get(f"{store_api.base}/channels", headers={"X-Auth-Token": "x"}, timeout=TIMEOUT).status_code
        == 401
    )
    time_url = store_api.base.replace("/v3", "/v2/time")
    assert "time" in session.get(time_url, timeout=TIMEOUT).json()
    store_url = store_api.base.replace("/v3", "/v2/store")
    assert session.get(store_url, timeout=TIMEOUT).status_code == 403
    store.configure(scopes=sorted(ALL_SCOPES))
    assert session.get(store_url, timeout=TIMEOUT).json()["id"] == store.store_hash


def test_a_product_can_vanish_and_another_appear_between_two_pages(
    simulators: Simulators, store: BigCommerceHandle, store_api: Caller
) -> None:
    first = store_api.get("/catalog/products", limit=50, sort="id").json()["data"]
    shifted_from = first[0]["id"]
    store.after(
        "GET /catalog/products",
        {"action": "delete_product", "product_id": shifted_from},
        {"action": "create_product", "sku": "BORN-1", "quantity": 1, "id": 8_000_001},
        {"action": "add_item", "on": "bc", "number": "BORN-1", "inventory": 4},
        nth=1,
    )
    before = store_api.get("/catalog/products", limit=50, page=1, sort="id").json()
    after = store_api.get("/catalog/products", limit=50, page=2, sort="id").json()
    assert before["data"][0]["id"] == shifted_from
    everything = {row["id"] for row in all_products(store_api)}
    missed = everything - {row["id"] for row in [*before["data"], *after["data"]]}
    assert 8_000_001 in everything
    assert shifted_from not in everything
    between = [number for number in missed if before["data"][-1]["id"] < number < after["data"][0]["id"]]
    assert len(between) == 1  # the offset page shifted past it
    assert simulators.bc.stock("BORN-1") == {"BORN-1": ("Inventory", "4")}


def test_hooks_are_stored_for_their_token_and_can_be_held_to_https(
    store: BigCommerceHandle, store_api: Caller
) -> None:
    store.configure(https_hooks_only=True)
    hook = {
        "scope": "store/product/updated",
        "destination": "https://shop.example/webhooks",
        "headers": {"X": "y"},
    }
    made = store_api.send("POST", "/hooks", hook).json()["data"]
    assert store_api.get("/hooks").json()["data"] == [made]
    paused = store_api.send("PUT", f"/hooks/{made['id']}", {"is_active": False}).json()["data"]
    assert paused["is_active"] is False
    for destination in ("http://shop.example/", "https://a.example:8443/"):
        assert store_api.send("POST", "/hooks", {**hook, "destination": destination}).status_code == 422
    assert store.violations() == {"bad_destination": 2}
    assert store_api.send("DELETE", f"/hooks/{made['id']}", None).status_code == 200
    assert store_api.get("/hooks").json()["data"] == []
