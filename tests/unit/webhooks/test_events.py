"""Which product a delivery is about, and when two deliveries are the same one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from models.site import BIGCOMMERCE, WOOCOMMERCE
from tests.deliveries import STORE_HASH, bigcommerce_body, woocommerce_body
from workers.webhooks.events import LONGEST_TEXT, Event, UnreadableError, event_type_of, parse
from workers.webhooks.site_keys import SiteKeys

LARGEST = 2**63 - 1
BIG = SiteKeys(1, BIGCOMMERCE, True, STORE_HASH, ("signature",), (), None)
WOO = SiteKeys(2, WOOCOMMERCE, True, None, ("signature",), (), None)


def big(body: bytes, **headers: str) -> Event:
    """What BigCommerce's body tells."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return parse(BIG, Headers(named), body)


def woo(body: bytes, topic: str | None = "product.updated") -> Event:
    """What WooCommerce's body tells under a topic."""
    return parse(WOO, Headers({} if topic is None else {"X-WC-Webhook-Topic": topic}), body)


def told(scope: str, data: Any, **changes: Any) -> Event:
    """What BigCommerce's body of a scope and its data tells."""
    return big(bigcommerce_body(1, scope, data=data, **changes))


@pytest.mark.parametrize(
    ("scope", "data", "product", "resource"),
    [
        ("store/product/created", {"type": "product", "id": 205}, 205, "product 205"),
        ("store/product/updated", {"type": "product", "id": 205}, 205, "product 205"),
        ("store/product/deleted", {"type": "product", "id": 205}, 205, "product 205"),
        (
            "store/product/inventory/updated",
            {
                "type": "product",
                "id": 167,
                "inventory": {"product_id": 167, "method": "absolute", "value": 2},
            },
            167,
            "product 167",
        ),
        (
            "store/product/inventory/order/updated",
            {
                "type": "product",
                "id": 167,
                "inventory": {"product_id": 167, "method": "absolute", "value": -1},
            },
            167,
            "product 167",
        ),
        (
            "store/sku/created",
            {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}},
            206,
            "variant 509 of product 206",
        ),
        (
            "store/sku/updated",
            {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}},
            206,
            "variant 509 of product 206",
        ),
        (
            "store/sku/deleted",
            {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}},
            206,
            "variant 509 of product 206",
        ),
        (
            "store/sku/inventory/updated",
            {
                "type": "sku",
                "id": 461,
                "inventory": {"product_id": 206, "variant_id": 509, "method": "absolute", "value": 2},
            },
            206,
            "variant 509 of product 206",
        ),
        ("store/channel/3/product/assigned", {"product_id": 127}, 127, "product 127"),
        ("store/channel/3/product/unassigned", {"product_id": 127}, 127, "product 127"),
    ],
)
def test_each_scope_names_the_product_to_read(
    scope: str, data: dict[str, Any], product: int, resource: str
) -> None:
    event = told(scope, data)

    assert (event.event_type, event.product_id, event.resource) == (scope, product, resource)
    assert event.ignored is None


@pytest.mark.parametrize("scope", ["store/order/created", "store/customer/updated", "store/app/uninstalled"])
def test_other_scopes_are_ignored_and_say_why(scope: str) -> None:
    event = told(scope, {"type": "order", "id": 5})

    assert event.product_id is None
    assert event.ignored == "nothing here depends on this event"


def test_an_event_of_another_store_is_ignored() -> None:
    event = told("store/product/updated", {"type": "product", "id": 1}, producer="stores/other")

    assert event.ignored == "it is about another store"


@pytest.mark.parametrize("wrong", [None, "205", 205.0, True, 0, -1, LARGEST + 1, 10**30, [205], {"id": 205}])
def test_an_id_that_is_no_positive_whole_number_names_no_product(wrong: Any) -> None:
    assert told("store/product/updated", {"type": "product", "id": wrong}).ignored == "it names no product"
    assert told("store/sku/updated", {"type": "sku", "sku": {"product_id": wrong}}).ignored is not None
    assert woo(woocommerce_body(0, id=wrong)).ignored is not None


def test_a_skus_own_id_is_not_taken_for_a_products() -> None:
    assert told("store/sku/updated", {"type": "sku", "id": 461}).product_id is None


def test_the_largest_id_is_an_id() -> None:
    assert told("store/product/updated", {"type": "product", "id": LARGEST}).product_id == LARGEST


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"17",
        b"{",
        b"webhook_id=1",
        b'{"scope": NaN}',
        b'{"scope": Infinity}',
        b'{"scope":"\xff"}',
        b"\x00",
        b'{"a":' * 5000,
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        big(body)
    with pytest.raises(UnreadableError):
        woo(body)


@pytest.mark.parametrize(
    "changes", [{"scope": None}, {"scope": ""}, {"scope": 5}, {"data": None}, {"data": []}]
)
def test_a_body_of_bigcommerce_without_scope_or_data_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError, match="no scope and data"):
        big(bigcommerce_body(1, **changes))


# The same delivery


def test_the_same_webhook_id_is_the_same_delivery() -> None:
    assert big(bigcommerce_body(1), webhook_id="msg_1").delivery_key == "msg_1"


def test_without_a_webhook_id_hash_scope_and_time_together_tell() -> None:
    def key(**changes: Any) -> str | None:
        fields = {"hash": "h", "created_at": 1_700_000_000, "scope": "store/product/updated", **changes}
        return big(bigcommerce_body(1, **fields)).delivery_key

    first = key()
    assert first is not None
    assert key() == first
    assert key(hash="i") != first
    assert key(created_at=1_700_000_001) != first
    assert key(scope="store/product/created") != first


def test_parts_of_a_key_can_not_run_into_each_other() -> None:
    one = bigcommerce_body(1, "store/product/updated", hash="a|store/product/updated", created_at=1)
    other = bigcommerce_body(1, "store/product/updated|1", hash="a", created_at=1)

    assert big(one).delivery_key != big(other).delivery_key


@pytest.mark.parametrize(
    "changes", [{"hash": None}, {"hash": 5}, {"created_at": None}, {"created_at": "soon"}]
)
def test_where_a_part_is_missing_nothing_is_taken_for_the_same(changes: dict[str, Any]) -> None:
    assert big(bigcommerce_body(1, **changes)).delivery_key is None


def test_an_id_too_long_to_keep_whole_is_no_key() -> None:
    long = "m" * LONGEST_TEXT

    assert big(bigcommerce_body(1), webhook_id=long).delivery_key == long
    assert big(bigcommerce_body(1), webhook_id=long + "1").delivery_key is None


def test_woocommerces_delivery_id_is_no_key_since_it_repeats_within_a_second() -> None:
    headers = Headers({"X-WC-Webhook-Topic": "product.updated", "X-WC-Webhook-Delivery-ID": "abc"})

    assert parse(WOO, headers, woocommerce_body(1)).delivery_key is None


# WooCommerce


@pytest.mark.parametrize(
    "topic", ["product.created", "product.updated", "product.deleted", "product.restored"]
)
def test_each_topic_of_a_product_names_it(topic: str) -> None:
    event = woo(woocommerce_body(205), topic)

    assert (event.event_type, event.product_id, event.resource) == (topic, 205, "product 205")


def test_a_trashed_product_is_only_an_id() -> None:
    assert woo(b'{"id": 205}', "product.deleted").product_id == 205


def test_a_variations_event_asks_for_its_parent() -> None:
    event = woo(woocommerce_body(301, type="variation", parent_id=300))

    assert (event.product_id, event.resource) == (300, "variation 301 of product 300")


def test_a_grouped_products_parent_is_not_read_in_its_place() -> None:
    assert woo(woocommerce_body(301, type="simple", parent_id=300)).product_id == 301
    assert woo(woocommerce_body(301, type="variation", parent_id=0)).product_id == 301


def test_a_product_that_was_gone_at_delivery_is_left_to_the_full_sync() -> None:
    body = b'{"code":"woocommerce_rest_product_invalid_id","message":"Invalid ID.","data":{"status":404}}'

    event = woo(body)

    assert event.product_id is None
    assert event.ignored == "it names no product: the next full sync finds what is gone"


@pytest.mark.parametrize(
    "topic", ["order.created", "customer.updated", "action.woocommerce_x", "coupon.deleted"]
)
def test_topics_of_other_things_are_ignored(topic: str) -> None:
    assert woo(woocommerce_body(5), topic).ignored == "nothing here depends on this event"


def test_without_a_topic_it_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="X-WC-Webhook-Topic"):
        woo(woocommerce_body(5), None)


def test_the_headers_alone_tell_woocommerces_topic_and_nothing_of_bigcommerce() -> None:
    topic = {"X-WC-Webhook-Topic": "product.updated"}

    assert event_type_of(WOOCOMMERCE, Headers(topic)) == "product.updated"
    assert event_type_of(WOOCOMMERCE, Headers()) is None
    assert event_type_of(BIGCOMMERCE, Headers(topic)) is None


# Properties

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "scope",
        "data",
        "producer",
        "hash",
        "created_at",
        "id",
        "type",
        "parent_id",
        "sku",
        "inventory",
        "product_id",
    ]
)
bodies = st.dictionaries(names, values | st.dictionaries(names, values, max_size=4), max_size=8)


def _sane(event: Event) -> None:
    assert (event.product_id is None) == (event.ignored is not None)
    assert event.product_id is None or 0 < event.product_id <= LARGEST
    for text in (event.event_type, event.resource, event.delivery_key):
        assert text is None or (len(text) <= LONGEST_TEXT and "\x00" not in text)
        assert text is None or text.encode()  # no half surrogate


@given(bodies, st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300))
def test_any_json_is_an_event_or_unreadable(body: Mapping[str, Any], text: str) -> None:
    sent = json.dumps({"scope": "store/product/updated", "data": {}, **body}).encode()
    for read in (lambda: big(sent, webhook_id=text), lambda: woo(sent, text)):
        with contextlib.suppress(UnreadableError):
            _sane(read())


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_unreadable(body: bytes) -> None:
    for read in (big, woo):
        with contextlib.suppress(UnreadableError):
            _sane(read(body))
