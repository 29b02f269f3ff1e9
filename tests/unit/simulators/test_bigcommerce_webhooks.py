"""What a BigCommerce store sends, to whom, and what it does with the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.simulators.bigcommerce.sending import RETRY_SECONDS, sign
from tests.simulators.handles import BigCommerceHandle

from .conftest import Caller
from .receiver import Receiver

LOCATION = 7
EVERYTHING = ("store/product/*", "store/sku/*", "store/channel/*/product/*")


@pytest.fixture(autouse=True)
def nothing_left(store: BigCommerceHandle) -> Iterator[None]:
    store.configure(quota=100_000, landing=[0, 0])
    yield
    store.forget_hooks()
    store.configure(
        webhook_coalesce_seconds=0,
        webhook_retry_scale=1,
        webhook_timeout_seconds=10,
        retry_keeps_timestamp=True,
        sign_hooks=True,
    )


@pytest.fixture
def listening(store: BigCommerceHandle, receiver: Receiver) -> Receiver:
    """A receiver of every event about products."""
    for scope in EVERYTHING:
        store.add_hook(scope, receiver.url)
    return receiver


def heard(store: BigCommerceHandle, receiver: Receiver) -> dict[str, dict[str, Any]]:
    """Once all is quiet: scope -> data; each scope at most once."""
    store.wait_quiet()
    events = [(request.json["scope"], request.json["data"]) for request in receiver.received()]
    assert len(dict(events)) == len(events)
    return dict(events)


def verify(store: BigCommerceHandle, body: bytes, headers: dict[str, str]) -> None:
    Webhook(store.client_secret.encode()).verify(body, headers)


def test_the_signature_is_that_of_the_reference() -> None:
    body = (
        b'{"producer":"stores/abc123","hash":"x","created_at":1700000000,"store_id":"1025646",'
        b'"scope":"store/product/updated","data":{"type":"product","id":205}}'
    )
    signed = sign("test-client-secret", "msg_2b1e", 1700000000, body)
    assert signed == "v1,ENbSNAa0Cjsi2egN1azXt6FcEmHAoQR4igPAZFiswUw="


def test_a_hook_is_told_signed_and_with_its_own_headers(
    store: BigCommerceHandle, store_api: Caller, receiver: Receiver
) -> None:
    hook = {
        "scope": "store/product/created",
        "destination": f"{receiver.url}/webhooks/5",
        "headers": {"X-Inventory-Sync-Token": "of site 5"},
    }
    made = store_api.send("POST", "/hooks", hook).json()["data"]
    assert {name: made[name] for name in hook} == hook
    product = store.create_product(sku="HOOK-1")["product_id"]
    store.wait_quiet()
    (request,) = receiver.received()
    verify(store, request.body, request.headers)
    assert request.path == "/webhooks/5"
    assert request.headers["x-inventory-sync-token"] == "of site 5"
    assert request.headers["content-type"] == "application/json"
    body = request.json
    assert (body["producer"], body["scope"]) == (f"stores/{store.store_hash}", "store/product/created")
    assert body["data"] == {"type": "product", "id": product}
    assert abs(body["created_at"] - request.at) < 60
    assert set(body) == {"producer", "hash", "created_at", "store_id", "scope", "data"}


def test_a_new_product_is_told_with_its_skus_and_channels(
    store: BigCommerceHandle, listening: Receiver
) -> None:
    made = store.create_product(sku="HOOK-2", channels=[2], variants=[{"sku": "HOOK-2-A"}])
    number, (variant,) = made["product_id"], made["variant_ids"]
    events = heard(store, listening)
    assert set(events) == {
        "store/product/created",
        "store/sku/created",
        "store/channel/2/product/assigned",
    }
    assert events["store/channel/2/product/assigned"] == {"product_id": number}
    sku = events["store/sku/created"]
    assert sku["sku"] == {"product_id": number, "variant_id": variant}
    assert sku["id"] not in (number, variant)  # a SKU's id is nobody else's


def test_a_sale_tells_the_change_whatever_the_method_says(
    store: BigCommerceHandle, receiver: Receiver
) -> None:
    product = store.create_product(sku="HOOK-3", quantity=10)["product_id"]
    store.add_hook("store/product/*", receiver.url)
    store.sell(product_id=product, quantity=3)
    inventory = {"product_id": product, "method": "absolute", "value": -3}
    changed = {"type": "product", "id": product, "inventory": inventory}
    assert heard(store, receiver) == {
        "store/product/inventory/updated": changed,
        "store/product/inventory/order/updated": changed,
        "store/product/updated": {"type": "product", "id": product},
    }


def test_our_own_writes_come_back_as_echoes_once_they_have_landed(
    store: BigCommerceHandle, store_api: Caller, receiver: Receiver
) -> None:
    made = store.create_product(variants=[{"sku": "HOOK-4", "quantity": 3}, {"sku": "HOOK-5"}])
    number, (variant, _) = made["product_id"], made["variant_ids"]
    for scope in EVERYTHING:
        store.add_hook(scope, receiver.url)
    store.configure(landing=[0.2, 0.2])
    row = {"location_id": LOCATION, "variant_id": variant, "quantity": 8}
    answer = store_api.send("PUT", "/inventory/adjustments/absolute", {"reason": "x", "items": [row]})
    assert answer.status_code == 200
    events = heard(store, receiver)
    (write,) = [write for write in store.writes() if write["variant_id"] == variant]
    assert set(events) == {"store/sku/inventory/updated", "store/product/updated"}
    assert events["store/sku/inventory/updated"]["inventory"] == {
        "product_id": number,
        "method": "absolute",
        "value": 5,
        "variant_id": variant,
    }
    assert min(request.at for request in receiver.received()) >= write["landed_at"] - 0.01


def test_changes_of_products_and_skus_name_what_changed(store: BigCommerceHandle, receiver: Receiver) -> None:
    made = store.create_product(channels=[1, 2], variants=[{"sku": "HOOK-6"}])
    number, (variant,) = made["product_id"], made["variant_ids"]
    for scope in EVERYTHING:
        store.add_hook(scope, receiver.url)

    def told(act: Any) -> list[tuple[str, int]]:
        before = len(receiver.received())
        act()
        store.wait_quiet()
        bodies = [request.json for request in receiver.received()[before:]]
        ids = [body["data"].get("sku", {}).get("variant_id") or number for body in bodies]
        return sorted(zip([body["scope"] for body in bodies], ids, strict=True))

    assert told(lambda: store.change_variant_sku(variant, "HOOK-6-B")) == [("store/sku/updated", variant)]
    assert told(lambda: store.change_product(number, name="Other")) == [("store/product/updated", number)]
    assert told(lambda: store.change_product(number, channels=[2, 3])) == [
        ("store/channel/1/product/unassigned", number),
        ("store/channel/3/product/assigned", number),
    ]
    added: list[int] = []
    assert told(lambda: added.append(store.create_variant(number, "HOOK-6-C"))) == [
        ("store/sku/created", added[0])
    ]
    assert told(lambda: store.delete_variant(added[0])) == [("store/sku/deleted", added[0])]
    assert told(lambda: store.delete_product(number)) == [("store/product/deleted", number)]


def test_a_failing_receiver_is_tried_twelve_times_and_then_its_hook_is_deactivated(
    store: BigCommerceHandle, store_api: Caller, receiver: Receiver
) -> None:
    store.configure(webhook_retry_scale=1e-6)
    hook = store.add_hook("store/product/created", receiver.url)
    receiver.status = 503
    store.create_product(sku="HOOK-7")
    store.wait_quiet()
    requests = receiver.received()
    assert len(requests) == 1 + len(RETRY_SECONDS) == 12
    assert len({request.body for request in requests}) == 1
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert [delivery.attempt for delivery in store.deliveries(hook_id=hook)] == list(range(1, 13))
    assert store_api.get(f"/hooks/{hook}").json()["data"]["is_active"] is False
    admin = store_api.get("/hooks/admin").json()["data"]
    assert admin["hooks_list"] == [{"hook_id": hook, "is_active": False}]
    store.create_product(sku="HOOK-8")
    store.wait_quiet()
    assert len(receiver.received()) == 12
    receiver.status = 202
    store_api.send("PUT", f"/hooks/{hook}", {"is_active": True})
    store.create_product(sku="HOOK-9")
    store.wait_quiet()
    assert len(receiver.received()) == 13
    assert store.webhooks_pending() == {"first": 0, "retry": 0}


def test_a_retry_succeeds_once_the_receiver_is_back(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.configure(webhook_retry_scale=0.001)
    store.add_hook("store/product/created", receiver.url)
    receiver.answer = lambda request: 500 if len(receiver.received()) == 1 else 200
    store.create_product(sku="HOOK-10")
    store.wait_quiet()
    first, second = store.deliveries()
    assert (first.status, second.status) == (500, 200)
    assert second.sent_at - first.sent_at >= 0.06
    assert first.ids == second.ids


@pytest.mark.parametrize("keeps", [True, False])
def test_a_retry_keeps_its_timestamp_or_is_signed_anew(
    store: BigCommerceHandle, receiver: Receiver, keeps: bool
) -> None:
    store.configure(webhook_retry_scale=0.02, retry_keeps_timestamp=keeps)  # 1.2 s: another second for sure
    store.add_hook("store/product/updated", receiver.url)
    receiver.answer = lambda request: 500 if len(receiver.received()) == 1 else 200
    store.emit("store/product/updated", product_id=1)
    store.wait_quiet()
    first, second = receiver.received()
    verify(store, second.body, second.headers)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.headers["webhook-timestamp"] == second.headers["webhook-timestamp"]) is keeps


def test_who_does_not_answer_in_time_is_tried_again(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.configure(webhook_timeout_seconds=0.2)
    store.add_hook("store/product/created", receiver.url)
    receiver.hold()
    store.create_product(sku="HOOK-11")
    store.wait_quiet(retries=False)
    (delivery,) = store.deliveries()
    assert (delivery.status, delivery.error) == (None, "no answer within 0.2 s")
    assert store.webhooks_pending() == {"first": 0, "retry": 1}


def test_what_a_test_emits_can_be_late_and_is_then_out_of_tolerance(
    store: BigCommerceHandle, receiver: Receiver
) -> None:
    hook = store.add_hook("store/product/updated", receiver.url)
    assert store.emit("store/product/updated", product_id=12) == 1
    assert store.emit("store/product/updated", product_id=13, late=True, hook_id=hook) == 1
    assert store.emit("store/sku/updated", variant_id=1) == 0
    store.wait_quiet()
    now, late = sorted(receiver.received(), key=lambda request: request.json["data"]["id"])
    verify(store, now.body, now.headers)
    with pytest.raises(WebhookVerificationError, match="too old"):
        verify(store, late.body, late.headers)
    stamp = int(late.headers["webhook-timestamp"])
    assert now.at - stamp > 3500
    assert late.headers["webhook-signature"] == sign(
        store.client_secret, late.headers["webhook-id"], stamp, late.body
    )


def test_a_test_may_say_word_for_word_what_is_told(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.add_hook("store/sku/inventory/updated", receiver.url)
    store.add_hook("store/order/created", receiver.url)
    store.emit("store/order/created", data={"type": "order", "id": 250})
    store.emit("store/sku/inventory/updated", product_id=5, variant_id=6, value=-2)
    stock = {"product_id": 5, "method": "absolute", "value": -2, "variant_id": 6}
    assert heard(store, receiver) == {
        "store/order/created": {"type": "order", "id": 250},
        "store/sku/inventory/updated": {"type": "sku", "id": 1_000_006, "inventory": stock},
    }


def test_a_hook_may_come_unsigned(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.configure(sign_hooks=False)
    store.add_hook("store/product/updated", receiver.url, **{"X-Inventory-Sync-Token": "proof"})
    store.emit("store/product/updated", product_id=1)
    store.wait_quiet()
    (request,) = receiver.received()
    assert not [name for name in request.headers if name.startswith("webhook-")]
    assert request.headers["x-inventory-sync-token"] == "proof"


def test_changes_can_be_made_to_fold_and_their_deltas_add_up(
    store: BigCommerceHandle, receiver: Receiver
) -> None:
    first, second = (store.create_product(sku=f"FOLD-{n}", quantity=10)["product_id"] for n in (1, 2))
    store.configure(webhook_coalesce_seconds=1)
    store.add_hook("store/product/inventory/updated", receiver.url)
    for quantity in (1, 2, 4):
        store.sell(product_id=first, quantity=quantity)
    store.sell(product_id=second)
    store.wait_quiet()
    told = {request.json["data"]["id"]: request.json for request in receiver.received()}
    assert len(receiver.received()) == 2
    assert [told[n]["data"]["inventory"]["value"] for n in (first, second)] == [-7, -1]


def test_ten_hooks_a_scope_are_enough_and_nonsense_is_refused(
    store: BigCommerceHandle, store_api: Caller, receiver: Receiver
) -> None:
    hook = {"scope": "store/product/updated", "destination": receiver.url}
    made = [store_api.send("POST", "/hooks", hook).status_code for _ in range(11)]
    assert made == [200] * 10 + [422]
    assert store_api.send("POST", "/hooks", {**hook, "scope": "store/sku/updated"}).status_code == 200
    for wrong in ({"scope": "store/product/sold"}, {"destination": "ftp://a"}, {"headers": {"n": 1}}):
        assert store_api.send("POST", "/hooks", {**hook, **wrong}).status_code == 422
    assert store.violations() == {"bad_hook_scope": 1, "bad_destination": 1, "bad_hook_headers": 1}
    listed = store_api.get("/hooks", scope="store/product/updated", limit=4, page=3).json()
    assert (len(listed["data"]), listed["meta"]["pagination"]["total"]) == (2, 10)


def test_a_deleted_or_deactivated_hook_is_told_no_more(
    store: BigCommerceHandle, store_api: Caller, receiver: Receiver
) -> None:
    store.configure(webhook_coalesce_seconds=0.6)
    gone, idle = (store.add_hook("store/product/created", f"{receiver.url}/{name}") for name in "ab")
    store.create_product(sku="HOOK-12")
    store_api.send("DELETE", f"/hooks/{gone}", None)
    store.disable_hook(idle)
    store.wait_quiet()
    assert receiver.received() == []
    assert {(d.hook_id, d.error) for d in store.deliveries()} == {(gone, "gone"), (idle, "gone")}
    assert [hook["is_active"] for hook in store_api.get("/hooks", is_active="false").json()["data"]] == [
        False
    ]
