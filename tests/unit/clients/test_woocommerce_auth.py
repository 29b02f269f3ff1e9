"""How the keys are sent: Basic or in the query over https, and over http signed, never in plain text."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlsplit

import requests

from workers.clients.woocommerce_api import WooCommerceConnection, auth_for

KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"


def prepared(url: str, mode: str = "basic") -> requests.PreparedRequest:
    shop = WooCommerceConnection(1, url, KEY, SECRET)
    params = {"_fields": "id,sku", "page": 2}
    request = requests.Request("GET", f"{url}/wp-json/wc/v3/products", params=params)
    request.auth = auth_for(shop, mode)
    return request.prepare()


def signature_expected(url: str, pairs: dict[str, str]) -> str:
    """As WooCommerce computes it: HMAC-SHA256 over method, address and sorted parameters; key `secret&`."""
    text = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in sorted(pairs.items()))
    base = "&".join(quote(part, safe="~") for part in ("GET", url.partition("?")[0], text))
    digest = hmac.new(f"{SECRET}&".encode(), base.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def test_over_http_the_request_is_signed_in_the_query_as_woocommerce_checks_it() -> None:
    request = prepared("http://shop.example:8080")
    assert request.url is not None
    pairs = dict(parse_qsl(urlsplit(request.url).query))
    signature = pairs.pop("oauth_signature")
    assert pairs["oauth_consumer_key"] == KEY
    assert pairs["oauth_signature_method"] == "HMAC-SHA256"
    assert signature == signature_expected(request.url, pairs)
    assert SECRET not in request.url
    assert "Authorization" not in request.headers


def test_a_body_is_no_part_of_the_signature() -> None:
    shop = WooCommerceConnection(1, "http://shop.example", KEY, SECRET)
    request = requests.Request(
        "POST", "http://shop.example/x", json={"update": []}, auth=auth_for(shop, "basic")
    )
    assert "oauth_body_hash" not in (request.prepare().url or "")


def test_over_https_the_keys_go_in_the_header() -> None:
    request = prepared("https://shop.example")
    assert request.headers["Authorization"] == requests.auth._basic_auth_str(KEY, SECRET)
    assert "consumer" not in (request.url or "")


def test_for_hosts_that_strip_the_header_the_keys_go_in_the_query() -> None:
    request = prepared("https://shop.example", "query")
    assert "Authorization" not in request.headers
    assert dict(parse_qsl(urlsplit(request.url or "").query)) == {
        "_fields": "id,sku",
        "page": "2",
        "consumer_key": KEY,
        "consumer_secret": SECRET,
    }


def test_keys_never_go_in_the_query_over_http() -> None:
    assert "consumer_secret" not in (prepared("http://shop.example", "query").url or "")


def test_a_representation_holds_no_keys() -> None:
    shown = repr(WooCommerceConnection(1, "https://shop.example", KEY, SECRET))
    assert KEY not in shown
    assert SECRET not in shown
