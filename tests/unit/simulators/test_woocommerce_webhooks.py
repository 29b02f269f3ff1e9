"""What a WooCommerce shop sends, to whom, and what it does with the answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulators.handles import WooCommerceHandle
from tests.simulators.woocommerce.sending import delivery_id

from .conftest import Caller
from .receiver import Received, Receiver

SECRET = "0123456789abcdef"
TOPICS = ("product.created", "product.updated", "product.deleted", "product.restored")


@pytest.fixture(autouse=True)
def nothing_left(shop: WooCommerceHandle) -> Iterator[None]:
    shop.configure(webhook_coalesce_seconds=0.05)
    yield
    shop.forget_hooks()
    shop.configure(webhook_coalesce_seconds=0.2, webhook_timeout_seconds=5)


@pytest.fixture
def listening(shop: WooCommerceHandle, receiver: Receiver) -> Receiver:
    """A receiver of every event about products."""
    for topic in TOPICS:
        shop.add_hook(topic, receiver.url, SECRET)
    shop.wait_quiet()
    return receiver


def events(shop: WooCommerceHandle, receiver: Receiver) -> list[Received]:
    """Once all is quiet: what is not a ping."""
    shop.wait_quiet()
    return [request for request in receiver.received() if "x-wc-webhook-topic" in request.headers]


def pings(shop: WooCommerceHandle, receiver: Receiver) -> list[Received]:
    shop.wait_quiet()
    return [request for request in receiver.received() if "x-wc-webhook-topic" not in request.headers]


def one(shop: WooCommerceHandle, receiver: Receiver) -> tuple[str, dict[str, Any]]:
    """The topic and body of the only event."""
    (request,) = events(shop, receiver)
    return request.headers["x-wc-webhook-topic"], request.json


def signature(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def state(shop: WooCommerceHandle, hook: int) -> tuple[str, int]:
    (found,) = [webhook for webhook in shop.webhooks() if webhook["id"] == hook]
    return found["status"], found["failures"]


def test_a_new_webhook_is_pinged_unsigned_and_form_encoded(
    shop: WooCommerceHandle, shop_api: Caller, receiver: Receiver
) -> None:
    hook = {"topic": "product.updated", "delivery_url": receiver.url, "secret": SECRET}
    number = shop_api.send("POST", "/webhooks", hook).json()["id"]
    (ping,) = pings(shop, receiver)
    assert ping.body == f"webhook_id={number}".encode()
    assert ping.headers["content-type"] == "application/x-www-form-urlencoded"
    assert not [name for name in ping.headers if name.startswith("x-wc")]
    shop.emit("product.updated", 1)
    assert len(pings(shop, receiver)) == 1


def test_a_ping_that_gets_no_plain_200_comes_again_after_every_delivery(
    shop: WooCommerceHandle, receiver: Receiver
) -> None:
    receiver.status = 204
    shop.add_hook("product.updated", receiver.url, SECRET)
    assert len(pings(shop, receiver)) == 1
    shop.emit("product.updated", 1)
    assert len(pings(shop, receiver)) == 2
    assert shop.webhooks()[0]["ping_unanswered"] is True
    receiver.status = 200
    shop.emit("product.updated", 1)
    assert len(pings(shop, receiver)) == 3
    shop.emit("product.updated", 1)
    assert len(pings(shop, receiver)) == 3
    assert shop.webhooks()[0]["ping_unanswered"] is False


def test_a_sale_sends_the_whole_product_signed_with_the_webhooks_secret(
    shop: WooCommerceHandle, shop_api: Caller, receiver: Receiver
) -> None:
    product = shop.create_product(sku="HÖÖK/1", quantity=10)["product_id"]
    number = shop.add_hook("product.updated", receiver.url, SECRET)
    shop.sell(product, 3)
    (request,) = events(shop, receiver)
    assert request.json == shop_api.get(f"/products/{product}").json()
    assert (request.json["sku"], request.json["stock_quantity"]) == ("HÖÖK/1", 7)
    assert b"\\/" in request.body  # as PHP encodes it: only the raw bytes verify
    headers = {name: value for name, value in request.headers.items() if name.startswith("x-wc-webhook-")}
    assert headers.pop("x-wc-webhook-signature") == signature(SECRET, request.body)
    assert len(headers.pop("x-wc-webhook-delivery-id")) == 32
    assert headers == {
        "x-wc-webhook-source": f"{shop.url}/",
        "x-wc-webhook-topic": "product.updated",
        "x-wc-webhook-resource": "product",
        "x-wc-webhook-event": "updated",
        "x-wc-webhook-id": str(number),
    }
    assert request.headers["content-type"] == "application/json"


def test_stock_of_a_variation_sends_the_variation_itself(shop: WooCommerceHandle, receiver: Receiver) -> None:
    made = shop.create_product(variations=[{"sku": "HOOK-2", "quantity": 5}])
    parent, (variation,) = made["product_id"], made["variation_ids"]
    shop.add_hook("product.updated", receiver.url, SECRET)
    shop.set_shop_stock(variation, 4)
    topic, body = one(shop, receiver)
    assert topic == "product.updated"
    assert (body["id"], body["type"], body["parent_id"]) == (variation, "variation", parent)
    assert body["stock_quantity"] == 4
    (delivery,) = shop.deliveries(kind="event")
    assert delivery.ids == {"product_id": parent, "variation_id": variation}


def test_our_own_writes_come_back_as_echoes_even_where_nothing_changed(
    shop: WooCommerceHandle, shop_api: Caller, receiver: Receiver
) -> None:
    products = [shop.create_product(sku=f"ECHO-{n}", quantity=5)["product_id"] for n in (1, 2)]
    shop.add_hook("product.updated", receiver.url, SECRET)
    rows = [
        {"id": number, "manage_stock": True, "stock_quantity": quantity}
        for number, quantity in zip(products, (5, 6), strict=True)
    ]
    shop_api.send("POST", "/products/batch", {"update": rows})
    told = {request.json["id"]: request.json["stock_quantity"] for request in events(shop, receiver)}
    assert told == dict(zip(products, (5, 6), strict=True))


def test_trash_and_its_opposite_are_told_and_a_forced_delete_is_not(
    shop: WooCommerceHandle, listening: Receiver
) -> None:
    product = shop.create_product(sku="HOOK-3")["product_id"]
    assert one(shop, listening)[0] == "product.created"
    shop.trash_product(product)
    trashed = events(shop, listening)[-1]
    assert (trashed.headers["x-wc-webhook-topic"], trashed.json) == ("product.deleted", {"id": product})
    shop.restore_product(product)
    restored = events(shop, listening)[-1]
    assert restored.headers["x-wc-webhook-topic"] == "product.restored"
    assert (restored.json["id"], restored.json["status"]) == (product, "publish")
    shop.delete_product(product)
    assert len(events(shop, listening)) == 3


def test_new_variations_are_told_each_by_itself(shop: WooCommerceHandle, listening: Receiver) -> None:
    made = shop.create_product(variations=[{"sku": "HOOK-4-A"}])
    later = shop.create_variation(made["product_id"], sku="HOOK-4-B")
    created = [r.json["id"] for r in events(shop, listening) if r.json["type"] == "variation"]
    assert sorted(created) == sorted([*made["variation_ids"], later])


def test_what_has_gone_by_delivery_is_told_as_an_error_without_an_id(
    shop: WooCommerceHandle, receiver: Receiver
) -> None:
    product = shop.create_product(sku="HOOK-5", quantity=5)["product_id"]
    shop.add_hook("product.updated", receiver.url, SECRET)
    shop.configure(webhook_coalesce_seconds=0.6)
    shop.sell(product)
    shop.delete_product(product)
    (request,) = events(shop, receiver)
    assert request.json == {
        "code": "woocommerce_rest_product_invalid_id",
        "message": "Invalid ID.",
        "data": {"status": 404},
    }
    assert request.headers["x-wc-webhook-topic"] == "product.updated"
    assert request.headers["x-wc-webhook-signature"] == signature(SECRET, request.body)


def test_changes_of_one_product_fold_and_what_holds_at_delivery_is_sent(
    shop: WooCommerceHandle, receiver: Receiver
) -> None:
    first, second = (shop.create_product(sku=f"FOLD-{n}", quantity=50)["product_id"] for n in (1, 2))
    shop.add_hook("product.updated", receiver.url, SECRET)
    shop.configure(webhook_coalesce_seconds=1)
    for quantity in (40, 30, 20):
        shop.set_shop_stock(first, quantity)
    shop.set_shop_stock(second, 1)
    told = [(request.json["id"], request.json["stock_quantity"]) for request in events(shop, receiver)]
    assert sorted(told) == [(first, 20), (second, 1)]


def test_the_seventh_failure_in_a_row_disables_and_reactivating_resets_nothing(
    shop: WooCommerceHandle, shop_api: Caller, receiver: Receiver
) -> None:
    hook = shop.add_hook("product.updated", receiver.url, SECRET)
    shop.wait_quiet()

    def fail(times: int) -> None:
        receiver.status = 500
        for _ in range(times):
            shop.emit("product.updated", 1)
            shop.wait_quiet()

    fail(6)
    assert state(shop, hook) == ("active", 6)
    receiver.status = 302  # a redirect counts as success, and is not followed
    shop.emit("product.updated", 1)
    assert len(events(shop, receiver)) == 7
    assert state(shop, hook) == ("active", 0)
    fail(7)
    assert state(shop, hook) == ("disabled", 6)
    sent = len(events(shop, receiver))
    assert sent == 14  # each once: there is no retry
    assert shop.emit("product.updated", 1) == 0
    shop_api.send("PUT", f"/webhooks/{hook}", {"status": "active"})
    fail(1)
    assert state(shop, hook) == ("disabled", 6)
    assert [row["id"] for row in shop_api.get("/webhooks", status="disabled").json()] == [hook]


def test_who_does_not_answer_in_time_has_failed(shop: WooCommerceHandle, receiver: Receiver) -> None:
    hook = shop.add_hook("product.updated", receiver.url, SECRET)
    shop.wait_quiet()
    shop.configure(webhook_timeout_seconds=0.2)
    receiver.hold()
    shop.emit("product.updated", 1)
    shop.wait_quiet()
    (delivery,) = shop.deliveries(kind="emitted")
    assert (delivery.status, delivery.error) == (None, "no answer within 0.2 s")
    assert state(shop, hook) == ("active", 1)


def test_a_delivery_id_is_of_the_webhook_and_the_second(shop: WooCommerceHandle, receiver: Receiver) -> None:
    hook = shop.add_hook("product.updated", receiver.url, SECRET)
    for number in (1, 2, 3):
        shop.emit("product.updated", number)
    told = events(shop, receiver)
    sent = [delivery.sent_at for delivery in shop.deliveries(kind="emitted")]
    seconds = range(int(min(sent)) - 1, int(max(sent)) + 1)
    ids = {request.headers["x-wc-webhook-delivery-id"] for request in told}
    assert len(told) == 3
    assert ids <= {delivery_id(hook, second) for second in seconds}


def test_html_entities_in_a_secret_are_decoded_before_it_signs(
    shop: WooCommerceHandle, receiver: Receiver
) -> None:
    shop.add_hook("product.updated", receiver.url, "a&amp;b")
    shop.emit("product.updated", 1)
    (request,) = events(shop, receiver)
    assert request.headers["x-wc-webhook-signature"] == signature("a&b", request.body)


def test_webhooks_are_listed_by_status_and_changed_in_batches(
    shop: WooCommerceHandle, shop_api: Caller, receiver: Receiver
) -> None:
    hook = {"delivery_url": receiver.url, "secret": SECRET}
    made = shop_api.send(
        "POST", "/webhooks/batch", {"create": [{**hook, "topic": topic} for topic in (*TOPICS, "none.such")]}
    ).json()["create"]
    first, second, third, fourth = (row["id"] for row in made[:4])
    assert made[4]["error"]["code"] == "woocommerce_rest_invalid_webhook_topic"
    changes = {"update": [{"id": first, "status": "paused"}, {"id": 999_999}], "delete": [second]}
    answer = shop_api.send("POST", "/webhooks/batch", changes).json()
    assert answer["update"][0]["status"] == "paused"
    assert answer["update"][1]["error"]["data"] == {"status": 404}
    assert answer["delete"][0]["id"] == second
    assert [row["id"] for row in shop_api.get("/webhooks", status="paused").json()] == [first]
    assert [row["id"] for row in shop_api.get("/webhooks", status="active").json()] == [fourth, third]
    page = shop_api.get("/webhooks", per_page=2, page=2, order="asc")
    assert ([row["id"] for row in page.json()], page.headers["X-WP-Total"]) == ([fourth], "3")
    assert shop_api.get("/webhooks", status="sleeping").status_code == 400
