"""What proves a delivery, and what does not."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from werkzeug.datastructures import Headers

from models.site import BIGCOMMERCE, WOOCOMMERCE
from tests.deliveries import (
    SECRET,
    STORE_HASH,
    TOKEN,
    TOKEN_HEADER,
    bigcommerce_body,
    bigcommerce_headers,
    standard_signature,
    woocommerce_body,
    woocommerce_headers,
)
from workers.webhooks.proofs import ACCEPTED, Verdict, judge
from workers.webhooks.site_keys import SiteKeys

VECTOR_ID, VECTOR_STAMP = "msg_2b1e", "1700000000"
VECTOR_BODY = (
    b'{"producer":"stores/abc123","hash":"x","created_at":1700000000,"store_id":"1025646",'
    b'"scope":"store/product/updated","data":{"type":"product","id":205}}'
)
VECTOR_SIGNATURE = "v1,ENbSNAa0Cjsi2egN1azXt6FcEmHAoQR4igPAZFiswUw="
BODY = bigcommerce_body(205)
MINUTE, HOUR = 60, 3600


def keys(platform: str = BIGCOMMERCE, **changes: Any) -> SiteKeys:
    """What a receiver knows of a site that demands a signature by SECRET."""
    fields: dict[str, Any] = {
        "site_id": 1,
        "platform": platform,
        "active": True,
        "store_hash": STORE_HASH if platform == BIGCOMMERCE else None,
        "proofs": ("signature",),
        "secrets": (SECRET,),
        "header_value": TOKEN,
    }
    return SiteKeys(**{**fields, **changes})


def at(moment: float) -> dict[str, Any]:
    """As if PostgreSQL's clock showed this moment."""
    return {"clock_offset": moment - time.time()}


def verdict(known: SiteKeys, headers: Mapping[str, str], body: bytes = BODY) -> Verdict:
    """What is said of a delivery; headers are looked up as Flask's request does."""
    return judge(known, Headers(list(headers.items())), body)


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    """The headers but for these."""
    return {name: value for name, value in headers.items() if name not in names}


# BigCommerce: Standard Webhooks


def vector() -> dict[str, str]:
    return {
        "webhook-id": VECTOR_ID,
        "webhook-timestamp": VECTOR_STAMP,
        "webhook-signature": VECTOR_SIGNATURE,
    }


def test_the_vendors_test_vector_is_proved() -> None:
    assert verdict(keys(**at(1_700_000_010)), vector(), VECTOR_BODY) is Verdict.VERIFIED


def test_the_test_vector_with_one_byte_changed_is_forged() -> None:
    changed = VECTOR_BODY.replace(b"205", b"206")

    assert verdict(keys(**at(1_700_000_010)), vector(), changed) is Verdict.FORGED


def test_the_same_json_in_other_bytes_is_forged() -> None:
    assert verdict(keys(**at(1_700_000_010)), vector(), VECTOR_BODY.replace(b",", b", ")) is Verdict.FORGED


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_signed_too(name: str) -> None:
    changed = {**vector(), name: vector()[name][:-1] + "9"}

    assert verdict(keys(**at(1_700_000_010)), changed, VECTOR_BODY) is Verdict.FORGED


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_one_of_its_three_headers_it_is_unsigned(missing: str) -> None:
    headers = bigcommerce_headers(BODY)

    assert verdict(keys(), without(headers, missing)) is Verdict.UNSIGNED
    assert verdict(keys(), {**headers, missing: ""}) is Verdict.UNSIGNED


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, Verdict.VERIFIED),
        (4 * MINUTE + 50, Verdict.VERIFIED),
        (-4 * MINUTE - 50, Verdict.VERIFIED),  # the shop's clock is ahead
        (5 * MINUTE + 10, Verdict.LATE),
        (47 * HOUR, Verdict.LATE),
        (48 * HOUR + 10, Verdict.STALE),
        (-5 * MINUTE - 10, Verdict.STALE),
    ],
)
def test_an_old_timestamp_is_late_for_two_days_and_one_from_the_future_is_refused(
    age: int, expected: Verdict
) -> None:
    assert verdict(keys(), bigcommerce_headers(BODY, age=age)) is expected


def test_an_old_timestamp_excuses_no_forgery() -> None:
    headers = bigcommerce_headers(BODY, age=HOUR, secret="another")

    assert verdict(keys(), headers) is Verdict.FORGED


def test_it_is_postgresqls_clock_that_counts() -> None:
    assert verdict(keys(clock_offset=HOUR), bigcommerce_headers(BODY)) is Verdict.LATE
    assert verdict(keys(clock_offset=HOUR), bigcommerce_headers(BODY, age=-HOUR)) is Verdict.VERIFIED


@pytest.mark.parametrize(
    "stamp",
    [
        "-1700000000",
        "1700000000.5",
        "1e9",
        "9" * 11,
        "9" * 400,
        "NaN",
        "soon",
        "0x65",
        "\u0661\u0662",
        "17 00",
    ],
)
def test_a_timestamp_that_is_no_plain_number_is_forged_even_where_it_was_signed(stamp: str) -> None:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": standard_signature(BODY, "msg_1", stamp),
    }

    assert verdict(keys(), headers) is Verdict.FORGED


@pytest.mark.parametrize("stamp", ["0", "1", "9999999999"])
def test_a_far_timestamp_is_stale(stamp: str) -> None:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": standard_signature(BODY, "msg_1", stamp),
    }

    assert verdict(keys(), headers) is Verdict.STALE


@pytest.mark.parametrize("place", ["{} v1,AAAA", "v1,AAAA {}", "v2,x  {} v1a,y", "v1a,AAAA {} "])
def test_one_right_signature_among_several_is_enough(place: str) -> None:
    headers = bigcommerce_headers(BODY)
    headers["webhook-signature"] = place.format(headers["webhook-signature"])

    assert verdict(keys(), headers) is Verdict.VERIFIED


@pytest.mark.parametrize(
    "change",
    [
        lambda right: right.replace("v1,", "v1a,"),  # the asymmetric kind, which nobody agreed on
        lambda right: right.replace("v1,", "v2,"),
        lambda right: right.replace("v1,", "V1,"),
        lambda right: right.replace("v1,", ""),
        lambda right: right.replace("v1,", "v1,v1,"),
        lambda right: right[:-1],
        lambda right: right + "=",
        lambda right: right[:20],
        lambda right: right.swapcase(),
        lambda right: "v1,",
        lambda right: "v1",
        lambda right: ",",
        lambda right: "v1,%%%not-base64%%%",
        lambda right: "v1,\u00e9\u00ff",
        lambda right: right.replace(",", ";"),
        lambda right: "v1,AAAA " * 50,
    ],
)
def test_anything_but_the_right_signature_is_forged(change: Any) -> None:
    headers = bigcommerce_headers(BODY)
    headers["webhook-signature"] = change(headers["webhook-signature"])

    assert verdict(keys(), headers) is Verdict.FORGED


def test_a_body_that_is_not_utf8_is_never_taken_for_another() -> None:
    body = b'{"scope":"\xff"}'
    headers = bigcommerce_headers(body)

    assert verdict(keys(), headers, body.replace(b"\xff", b"\xfe")) is Verdict.FORGED
    assert verdict(keys(), headers, body.decode(errors="replace").encode()) is Verdict.FORGED


def test_a_body_that_is_not_utf8_but_rightly_signed_is_proved() -> None:
    body = b'{"scope":"\xff"}'

    assert verdict(keys(), bigcommerce_headers(body), body) is Verdict.VERIFIED


def test_a_secret_is_used_as_it_is_even_where_it_looks_like_another_form() -> None:
    for secret in ("whsec_dGVzdA==", "dGVzdA==", "s\u00e9cret", " spaced "):
        headers = bigcommerce_headers(BODY, secret=secret)
        assert verdict(keys(secrets=(secret,)), headers) is Verdict.VERIFIED


def test_a_woocommerce_signature_proves_nothing_to_a_bigcommerce_site() -> None:
    assert verdict(keys(), woocommerce_headers(BODY)) is Verdict.UNSIGNED


# WooCommerce: base64 of the HMAC of the body

WOO_BODY = woocommerce_body(205)


def woo(**changes: Any) -> SiteKeys:
    return keys(WOOCOMMERCE, **changes)


def test_a_signed_body_of_woocommerce_is_proved() -> None:
    assert verdict(woo(), woocommerce_headers(WOO_BODY), WOO_BODY) is Verdict.VERIFIED


def test_woocommerces_signature_is_what_openssl_makes() -> None:
    # printf '{"id":1}' | openssl dgst -sha256 -hmac test-client-secret -binary | base64
    headers = {"X-WC-Webhook-Signature": "MaF8pyIUkKSWrrUaDEHgKnvLnphBCbQG6okl+L8iyD4="}

    assert verdict(woo(), headers, b'{"id":1}') is Verdict.VERIFIED


def test_another_body_another_secret_or_half_a_signature_is_forged() -> None:
    right = woocommerce_headers(WOO_BODY)["X-WC-Webhook-Signature"]
    hexadecimal = base64.b64decode(right).hex()

    assert verdict(woo(), woocommerce_headers(WOO_BODY), WOO_BODY + b" ") is Verdict.FORGED
    assert verdict(woo(secrets=("other",)), woocommerce_headers(WOO_BODY), WOO_BODY) is Verdict.FORGED
    for wrong in (right[:-2], right + "A", hexadecimal, "v1," + right, f"{right} {right}", "\u00e9", "=="):
        headers = {**woocommerce_headers(WOO_BODY), "X-WC-Webhook-Signature": wrong}
        assert verdict(woo(), headers, WOO_BODY) is Verdict.FORGED, wrong


def test_without_a_signature_it_is_unsigned() -> None:
    headers = without(woocommerce_headers(WOO_BODY), "X-WC-Webhook-Signature")

    assert verdict(woo(), headers, WOO_BODY) is Verdict.UNSIGNED
    assert verdict(woo(), {**headers, "X-WC-Webhook-Signature": ""}, WOO_BODY) is Verdict.UNSIGNED


def test_a_site_without_a_secret_accepts_nothing_signed() -> None:
    assert verdict(woo(secrets=()), woocommerce_headers(WOO_BODY, secret=""), WOO_BODY) is Verdict.UNSIGNED
    assert verdict(keys(secrets=()), bigcommerce_headers(BODY, secret="")) is Verdict.UNSIGNED


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_woocommerces_greeting_is_known() -> None:
    assert verdict(woo(), FORM, b"webhook_id=1") is Verdict.PING
    with_charset = {"Content-Type": "Application/X-WWW-Form-Urlencoded; charset=utf-8"}
    assert verdict(woo(), with_charset, b"webhook_id=123456") is Verdict.PING


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, b"webhook_id=1&id=205"),
        (FORM, b"webhook_id="),
        (FORM, b"webhook_id=abc"),
        (FORM, b"webhook_id=1\n"),
        (FORM, b'webhook_id=1{"id": 205}'),
        (FORM, b"id=205"),
        (FORM, b""),
        (FORM, WOO_BODY),
        ({}, b"webhook_id=1"),
        ({"Content-Type": "application/json"}, b"webhook_id=1"),
        ({**FORM, "X-WC-Webhook-Topic": "product.updated"}, b"webhook_id=1"),
    ],
)
def test_nothing_else_unsigned_passes_for_a_greeting(headers: dict[str, str], body: bytes) -> None:
    assert verdict(woo(), headers, body) is Verdict.UNSIGNED


def test_bigcommerce_never_greets() -> None:
    assert verdict(keys(), FORM, b"webhook_id=1") is Verdict.UNSIGNED


# The secret header, several proofs, and rotation


def test_an_empty_value_proves_nothing() -> None:
    assert verdict(keys(proofs=("header",), header_value=""), {TOKEN_HEADER: ""}) is Verdict.UNSIGNED


def test_the_secret_header_proves_a_site_that_demands_it() -> None:
    for platform in (BIGCOMMERCE, WOOCOMMERCE):
        known = keys(platform, proofs=("header",))
        assert verdict(known, {TOKEN_HEADER: TOKEN}) is Verdict.VERIFIED
        assert verdict(known, {TOKEN_HEADER.lower(): TOKEN}) is Verdict.VERIFIED


def test_another_value_is_forged_and_none_is_unsigned() -> None:
    known = keys(proofs=("header",))

    for wrong in (TOKEN[:-1], TOKEN.upper(), TOKEN + "x", "", "\u00e9", "x" * 10_000):
        assert verdict(known, {TOKEN_HEADER: wrong}) is Verdict.FORGED
    assert verdict(known, {}) is Verdict.UNSIGNED
    assert verdict(keys(proofs=("header",), header_value=None), {TOKEN_HEADER: ""}) is Verdict.UNSIGNED


def test_all_proofs_that_a_site_demands_must_pass() -> None:
    both = keys(proofs=("signature", "header"))
    signed, token = bigcommerce_headers(BODY), {TOKEN_HEADER: TOKEN}

    assert verdict(both, {**signed, **token}) is Verdict.VERIFIED
    assert verdict(both, signed) is Verdict.UNSIGNED
    assert verdict(both, token) is Verdict.UNSIGNED
    assert verdict(both, {**signed, TOKEN_HEADER: "wrong"}) is Verdict.FORGED
    assert verdict(both, {**bigcommerce_headers(BODY, secret="wrong"), **token}) is Verdict.FORGED
    assert verdict(both, {**bigcommerce_headers(BODY, age=HOUR), **token}) is Verdict.LATE
    assert verdict(both, {**bigcommerce_headers(BODY, age=50 * HOUR), **token}) is Verdict.STALE


def test_a_proof_that_is_not_demanded_is_no_substitute() -> None:
    assert verdict(keys(proofs=("header",)), bigcommerce_headers(BODY)) is Verdict.UNSIGNED
    assert verdict(keys(proofs=("signature",)), {TOKEN_HEADER: TOKEN}) is Verdict.UNSIGNED


@pytest.mark.parametrize("platform", [BIGCOMMERCE, WOOCOMMERCE])
def test_demanding_no_proof_accepts_nothing(platform: str) -> None:
    headers = {**bigcommerce_headers(BODY), **woocommerce_headers(BODY), TOKEN_HEADER: TOKEN}

    assert verdict(keys(platform, proofs=()), headers) is Verdict.UNSIGNED


@pytest.mark.parametrize("secret", ["new", "old"])
def test_during_a_rotation_both_secrets_prove(secret: str) -> None:
    rotating = ("new", "old")

    assert verdict(keys(secrets=rotating), bigcommerce_headers(BODY, secret=secret)) is Verdict.VERIFIED
    assert (
        verdict(woo(secrets=rotating), woocommerce_headers(WOO_BODY, secret=secret), WOO_BODY)
        is Verdict.VERIFIED
    )


def test_after_a_rotation_the_old_secret_proves_nothing() -> None:
    assert verdict(keys(secrets=("new",)), bigcommerce_headers(BODY, secret="old")) is Verdict.FORGED


def test_keys_are_not_shown() -> None:
    shown = repr(keys(secrets=("first-secret", "second-secret")))

    assert "secret" not in shown.replace("secrets", "")
    assert TOKEN not in shown


# Properties

header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)


@given(st.binary(max_size=300), st.text(min_size=1, max_size=40))
def test_whatever_a_shop_signs_is_proved(body: bytes, secret: str) -> None:
    known: dict[str, Any] = {"secrets": (secret,)}

    assert verdict(keys(**known), bigcommerce_headers(body, secret=secret), body) is Verdict.VERIFIED
    if not body.startswith(b"webhook_id="):
        headers = woocommerce_headers(body, secret=secret)
        assert verdict(woo(**known), headers, body) is Verdict.VERIFIED


@given(st.text(max_size=100), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_what_the_vendors_library_signs_is_proved(body: str, delivery_id: str) -> None:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET.encode()).sign(delivery_id, now, body),
    }

    assert verdict(keys(), headers, body.encode()) is Verdict.VERIFIED


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_no_body_passes_with_anothers_signature(signed: bytes, sent: bytes) -> None:
    if signed == sent:
        return
    assert verdict(keys(), bigcommerce_headers(signed), sent) is Verdict.FORGED
    assert verdict(woo(), woocommerce_headers(signed), sent) is Verdict.FORGED


@given(
    st.dictionaries(
        st.sampled_from(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "X-WC-Webhook-Signature", TOKEN_HEADER]
        ),
        header_text,
    ),
    st.binary(max_size=100),
    st.sampled_from([BIGCOMMERCE, WOOCOMMERCE]),
    st.sampled_from([(), ("signature",), ("header",), ("signature", "header")]),
)
def test_no_made_up_headers_are_accepted_or_break_it(
    headers: dict[str, str], body: bytes, platform: str, proofs: tuple[str, ...]
) -> None:
    assert verdict(keys(platform, proofs=proofs), headers, body) not in ACCEPTED
