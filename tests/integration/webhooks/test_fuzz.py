"""Whatever is sent to a receiver: no fault of ours, and nothing that was not proved is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.site import BIGCOMMERCE, WOOCOMMERCE, Site
from tests.deliveries import (
    STORE_HASH,
    TOKEN,
    TOKEN_HEADER,
    bigcommerce_headers,
    delivery,
    jobs,
    logged,
    path,
    site,
    woocommerce_headers,
)
from tests.receivers import receiving
from workers.hints import hints

FORM = "application/x-www-form-urlencoded"
NAMES = ["webhook-id", "webhook-timestamp", "webhook-signature", "X-WC-Webhook-Signature", "X-WC-Webhook-Topic",
         "X-WC-Webhook-Delivery-ID", TOKEN_HEADER, "Content-Type", "X-Request-ID", "Authorization"]  # fmt: skip
FIELDS = ["scope", "data", "producer", "hash", "created_at", "id", "type", "parent_id", "sku", "inventory",
          "product_id", "variant_id"]  # fmt: skip

header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)
headers = st.dictionaries(
    st.sampled_from(NAMES),
    header_values | st.sampled_from([FORM, "application/json", "product.updated", "1700000000", "v1,AAAA"]),
    max_size=6,
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(alphabet="\x00\ud800\uffff€")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(
    st.sampled_from(FIELDS), values | st.dictionaries(st.sampled_from(FIELDS), values)
)
bodies = st.binary(max_size=300) | documents.map(
    lambda body: json.dumps(body).encode("utf-8", "surrogatepass")
)
fuzzing = settings(
    max_examples=70,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def client(database: str) -> Iterator[FlaskClient]:
    with receiving() as app:
        hints.use(None)  # Hypothesis watches over `random`, which the thread that sends hints uses too
        yield app.test_client()


@pytest.fixture(params=[BIGCOMMERCE, WOOCOMMERCE])
def to(request: pytest.FixtureRequest, database: str) -> Site:
    return site(request.param, webhook_header_value=TOKEN)


def send(client: FlaskClient, to: Site, body: bytes, named: dict[str, str]) -> Any:
    answer = client.post(path(to), data=body, headers=list(named.items()))
    assert answer.status_code < 500, answer.get_data(as_text=True)
    if answer.status_code != 200:
        assert answer.content_type == "application/problem+json"
        assert set(answer.get_json()) >= {"code", "detail", "request_id"}
    return answer


def test_nothing_made_up_is_accepted_or_breaks_it(client: FlaskClient, to: Site) -> None:
    @fuzzing
    @given(bodies, headers)
    def fuzz(body: bytes, named: dict[str, str]) -> None:
        answer = send(client, to, body, named)
        greeting = to.platform == WOOCOMMERCE and body.startswith(b"webhook_id=")
        assert answer.status_code == 401 or greeting

    fuzz()
    assert jobs() == []


def test_no_change_of_a_proved_delivery_is_accepted(client: FlaskClient, to: Site) -> None:
    body, named = delivery(to, 205)
    signature = "webhook-signature" if to.platform == BIGCOMMERCE else "X-WC-Webhook-Signature"

    @fuzzing
    @given(st.integers(0, len(body) - 1), st.integers(1, 255), st.binary(max_size=3), st.booleans())
    def fuzz(place: int, flip: int, tail: bytes, cut: bool) -> None:
        changed = body[:place] + (b"" if cut else bytes([body[place] ^ flip])) + body[place + 1 :] + tail
        if changed != body:
            assert send(client, to, changed, named).status_code == 401
        given_signature = named[signature]
        spot = place % len(given_signature)
        other = given_signature[:spot] + chr(33 + flip % 90) + given_signature[spot + 1 :]
        if other.rstrip("=") != given_signature.rstrip("="):
            assert send(client, to, body, {**named, signature: other}).status_code == 401

    fuzz()
    assert jobs() == []


def test_no_proved_body_breaks_it(client: FlaskClient, to: Site) -> None:
    """An app's secret may leak, and a vendor may send what nobody has seen: still no fault of ours."""

    @fuzzing
    @given(bodies, headers)
    def fuzz(body: bytes, named: dict[str, str]) -> None:
        proved = bigcommerce_headers(body) if to.platform == BIGCOMMERCE else woocommerce_headers(body)
        kept = {name: value for name, value in named.items() if name not in proved}
        answer = send(client, to, body, {**kept, **proved})
        greeting = to.platform == WOOCOMMERCE and body.startswith(b"webhook_id=")
        assert answer.status_code in (200, 400) or greeting

    fuzz()


def test_whatever_product_a_proved_body_names_it_is_stored_as_it_came(client: FlaskClient, to: Site) -> None:
    @fuzzing
    @given(documents, st.integers(1, 2**63 - 1))
    def fuzz(document: dict[str, Any], product_id: int) -> None:
        if to.platform == BIGCOMMERCE:
            document |= {
                "producer": f"stores/{STORE_HASH}",
                "scope": "store/product/updated",
                "data": {"type": "product", "id": product_id},
            }
        else:
            document |= {"id": product_id, "type": "simple"}
        try:
            body = json.dumps(document, allow_nan=False).encode()
        except ValueError:  # no JSON at all: tried above
            return
        proved = bigcommerce_headers(body) if to.platform == BIGCOMMERCE else woocommerce_headers(body)

        assert send(client, to, body, proved).get_json() == {"status": "received"}
        assert logged("product_id, body")[-1] == (product_id, body.decode())

    fuzz()
