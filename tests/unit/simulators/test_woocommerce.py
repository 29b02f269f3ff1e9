"""A WooCommerce shop as a client meets it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.auth import AuthBase
from requests_oauthlib import OAuth1

from tests.simulators.handles import WooCommerceHandle
from tests.simulators.process import Simulators

from .conftest import TIMEOUT, Caller

SLIM = "id,sku,type,parent_id,manage_stock,stock_quantity"


@pytest.fixture(autouse=True)
def plain_settings(shop: WooCommerceHandle) -> Iterator[None]:
    yield
    shop.configure(
        flat_variations=True,
        stock_managed=True,
        maintenance=False,
        redirect_to="",
        basic_over_http=False,
        strips_authorization=False,
        permissions="read_write",
    )


def all_of(caller: Caller, path: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = caller.get(path, page=page, per_page=100, orderby="id", order="asc", **params)
        rows += answer.json()
        if page >= int(answer.headers["X-WP-TotalPages"]):
            assert len(rows) == int(answer.headers["X-WP-Total"])
            return rows
        page += 1


def batch(
    caller: Caller, *items: dict[str, Any], path: str = "/products/batch", **params: Any
) -> requests.Response:
    return caller.send("POST", path, {"update": list(items)}, **params)


def test_products_and_variations_are_listed_once_each(shop: WooCommerceHandle, shop_api: Caller) -> None:
    products = all_of(shop_api, "/products", _fields="id,type")
    variations = all_of(shop_api, "/variations", _fields="id,parent_id")
    truth = shop.truth()
    assert {row["id"] for row in products} == {row["product_id"] for row in truth}
    assert {row["id"] for row in variations} == {
        row["variation_id"] for row in truth if "variation_id" in row
    }
    assert set(products[0]) == {"id", "type"}


def test_the_flat_list_is_missing_before_10_3_but_each_parent_lists_its_own(
    shop: WooCommerceHandle, shop_api: Caller
) -> None:
    flat = all_of(shop_api, "/variations", _fields="id,parent_id")
    shop.configure(flat_variations=False)
    gone = shop_api.get("/variations")
    assert (gone.status_code, gone.json()["code"]) == (404, "rest_no_route")
    parent = flat[0]["parent_id"]
    own = all_of(shop_api, f"/products/{parent}/variations", _fields="id,parent_id")
    assert own == [row for row in flat if row["parent_id"] == parent]
    assert shop.violations() == {}


def test_page_sizes_and_pages_are_checked_as_wordpress_does(shop_api: Caller) -> None:
    assert len(shop_api.get("/products").json()) == 10
    for per_page in (0, 101):
        answer = shop_api.get("/products", per_page=per_page)
        assert (answer.status_code, answer.json()["code"]) == (400, "rest_invalid_param")
    past = shop_api.get("/products", page=9999)
    assert (past.status_code, past.json()) == (200, [])
    assert int(past.headers["X-WP-Total"]) > 0
    first, last = (
        shop_api.get("/products", per_page=100).json()[0],
        shop_api.get("/products", order="asc").json()[0],
    )
    assert first["id"] > last["id"]  # the newest first, unless asked otherwise


def test_the_sku_filter_is_exact_and_finds_variations_too(shop: WooCommerceHandle, shop_api: Caller) -> None:
    made = shop.create_product(sku="Find-Me", variations=[{"sku": "find-me-red"}, {"sku": ""}])
    shop.create_product(sku="WITH,COMMA")
    found = shop_api.get(
        "/products", sku="FIND-ME,FIND-ME-RED", orderby="id", order="asc", _fields=SLIM
    ).json()
    assert [row["id"] for row in found] == [made["product_id"], made["variation_ids"][0]]
    assert [row["sku"] for row in shop_api.get("/products", sku="with,comma").json()] == ["WITH,COMMA"]
    assert shop_api.get("/products", sku="FIND-ME-RED, WITH,COMMA").json()[0]["sku"] == "find-me-red"


def test_a_variation_without_a_sku_reports_its_parents(shop: WooCommerceHandle, shop_api: Caller) -> None:
    made = shop.create_product(sku="PARENT-SKU", variations=[{"sku": ""}])
    variation = made["variation_ids"][0]
    answer = shop_api.get(f"/products/{variation}").json()
    assert (answer["sku"], answer["type"], answer["parent_id"]) == (
        "PARENT-SKU",
        "variation",
        made["product_id"],
    )
    (row,) = [row for row in shop.truth() if row.get("variation_id") == variation]
    assert "inherits_sku" in row["reasons"]


def test_trash_leaves_the_listing_but_answers_by_id(shop: WooCommerceHandle, shop_api: Caller) -> None:
    product = shop.create_product(sku="TRASHED-1")["product_id"]
    shop.trash_product(product)
    assert shop_api.get("/products", include=product).json() == []
    assert shop_api.get("/products", status="trash").json()[0]["id"] == product
    assert shop_api.get(f"/products/{product}").json()["status"] == "trash"
    shop.delete_product(product)
    assert shop_api.get(f"/products/{product}").json()["code"] == "woocommerce_rest_product_invalid_id"


def test_a_batch_answers_200_item_by_item_in_order(shop: WooCommerceHandle, shop_api: Caller) -> None:
    one = shop.create_product(sku="BATCH-1", quantity=1)["product_id"]
    parent = shop.create_product(variations=[{"sku": "BATCH-2"}])
    variation = parent["variation_ids"][0]
    stock = {"manage_stock": True, "stock_quantity": 5}
    answer = batch(shop_api, {"id": 1, **stock}, {"id": one, **stock}, {"id": variation, **stock})
    results = answer.json()["update"]
    assert answer.status_code == 200
    assert [row["id"] for row in results] == [1, one, variation]
    codes = [row["error"]["code"] if "error" in row else row["stock_quantity"] for row in results]
    assert codes == ["woocommerce_rest_product_invalid_id", 5, "woocommerce_rest_invalid_product_id"]
    path = f"/products/{parent['product_id']}/variations/batch"
    answer = batch(shop_api, {"id": variation, **stock}, {"id": one, **stock}, path=path)
    codes = [row.get("stock_quantity") or row["error"]["code"] for row in answer.json()["update"]]
    assert codes == [5, "woocommerce_rest_product_variation_invalid_id"]
    assert shop.violations() == {}


def test_101_items_are_refused_and_nothing_is_done(shop: WooCommerceHandle, shop_api: Caller) -> None:
    product = shop.create_product(sku="MANY-1", quantity=1)["product_id"]
    answer = batch(shop_api, *[{"id": product, "stock_quantity": 5}] * 101)
    assert (answer.status_code, answer.json()["code"]) == (413, "woocommerce_rest_request_entity_too_large")
    assert shop.row(product)["stock_quantity"] == 1
    assert shop.violations() == {"too_many_items": 1}


def test_fields_on_a_batch_hide_the_answer_but_it_writes(shop: WooCommerceHandle, shop_api: Caller) -> None:
    product = shop.create_product(sku="HIDE-1", quantity=1)["product_id"]
    answer = batch(shop_api, {"id": product, "manage_stock": True, "stock_quantity": 6}, _fields="id")
    assert answer.json() == []
    assert shop.row(product)["stock_quantity"] == 6
    assert shop.violations() == {"fields_on_batch": 1}


def test_an_empty_batch_or_another_content_type_is_200_and_nothing(
    shop: WooCommerceHandle, shop_api: Caller
) -> None:
    product = shop.create_product(sku="TYPE-1", quantity=1)["product_id"]
    url = f"{shop_api.base}/products/batch"
    body = f'{{"update": [{{"id": {product}, "stock_quantity": 9}}]}}'
    answer = shop_api.session.post(url, data=body, headers={"Content-Type": "text/plain"}, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()) == (200, [])
    assert batch(shop_api).json() == []
    assert shop.row(product)["stock_quantity"] == 1


@pytest.mark.parametrize(("sent", "becomes"), [(2.9, 2), (-1.5, -1), ("abc", 0), ("", 0), ("12 pieces", 12)])
def test_a_batch_coerces_bad_quantities_and_it_is_counted(
    shop: WooCommerceHandle, shop_api: Caller, sent: object, becomes: int
) -> None:
    product = shop.create_product(sku="COERCE", quantity=50)["product_id"]
    batch(shop_api, {"id": product, "manage_stock": True, "stock_quantity": sent})
    assert shop.row(product)["stock_quantity"] == becomes
    assert shop.violations() == {"bad_quantity": 1}


def test_a_single_update_validates_what_a_batch_does_not(shop: WooCommerceHandle, shop_api: Caller) -> None:
    product = shop.create_product(sku="SINGLE-1", quantity=50)["product_id"]
    answer = shop_api.send("PUT", f"/products/{product}", {"stock_quantity": 2.9})
    assert (answer.status_code, answer.json()["code"]) == (400, "rest_invalid_param")
    assert shop_api.send("POST", f"/products/{product}", {"stock_quantity": 2}).json()["stock_quantity"] == 2


def test_writes_to_what_is_not_managed_are_silently_ignored(
    shop: WooCommerceHandle, shop_api: Caller
) -> None:
    untracked = shop.create_product(sku="IGNORE-1", manage_stock=False)["product_id"]
    parent = shop.create_product(
        manage_stock=True, quantity=3, variations=[{"sku": "IGNORE-2", "manage_stock": False}]
    )
    variation = parent["variation_ids"][0]
    (result,) = batch(shop_api, {"id": untracked, "stock_quantity": 5}).json()["update"]
    assert (result["manage_stock"], result["stock_quantity"]) == (False, None)
    path = f"/products/{parent['product_id']}/variations/batch"
    (result,) = batch(shop_api, {"id": variation, "stock_quantity": 5}, path=path).json()["update"]
    assert (result["manage_stock"], result["stock_quantity"]) == ("parent", 3)
    assert shop.counts()["refusals"] == {"ignored_write": 2}
    (row,) = [row for row in shop.truth() if row.get("variation_id") == variation]
    assert "parent_managed" in row["reasons"]


def test_switching_tracking_on_is_a_violation(shop: WooCommerceHandle, shop_api: Caller) -> None:
    product = shop.create_product(sku="SWITCH-1", manage_stock=False)["product_id"]
    batch(shop_api, {"id": product, "manage_stock": True, "stock_quantity": 5})
    assert shop.violations() == {"manage_stock_switched_on": 1}


def test_with_stock_management_off_nothing_is_managed_nor_written(
    shop: WooCommerceHandle, shop_api: Caller
) -> None:
    product = shop.create_product(sku="OFF-1", quantity=3)["product_id"]
    setting = "/settings/products/woocommerce_manage_stock"
    assert shop_api.get(setting).json()["value"] == "yes"
    shop.configure(stock_managed=False)
    assert shop_api.get(setting).json()["value"] == "no"
    answer = batch(shop_api, {"id": product, "manage_stock": True, "stock_quantity": 5})
    assert answer.json()["update"][0]["manage_stock"] is False
    shop.configure(stock_managed=True)
    assert shop.row(product)["stock_quantity"] == 3


def test_stock_status_follows_quantity_and_backorders(shop: WooCommerceHandle, shop_api: Caller) -> None:
    product = shop.create_product(sku="STATUS-1", quantity=3)["product_id"]
    (sold_out,) = batch(shop_api, {"id": product, "stock_quantity": 0}).json()["update"]
    shop.change_product(product, backorders="notify")
    assert sold_out["stock_status"] == "outofstock"
    assert shop_api.get(f"/products/{product}").json()["stock_status"] == "onbackorder"


def test_a_z_time_with_gmt_dates_misses_changes_and_a_naive_one_does_not(
    shop: WooCommerceHandle, shop_api: Caller
) -> None:
    parent = shop.create_product(sku="CHANGED-0", variations=[{"sku": "CHANGED-1"}])
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 60))
    asked = {"include": parent["product_id"], "dates_are_gmt": "true"}
    assert len(shop_api.get("/products", modified_after=since, **asked).json()) == 1
    assert shop_api.get("/products", modified_after=since + "Z", **asked).json() == []
    strictly = shop_api.get(f"/products/{parent['product_id']}").json()["date_modified_gmt"]
    assert shop_api.get("/products", modified_after=strictly, **asked).json() == []


class KeysInQuery(AuthBase):
    """Consumer key and secret as query parameters."""

    def __init__(self, shop: WooCommerceHandle) -> None:
        self._shop = shop

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        keys = {"consumer_key": self._shop.consumer_key, "consumer_secret": self._shop.consumer_secret}
        request.prepare_url(request.url, keys)
        return request


def code_with(shop_api: Caller, auth: Any) -> str:
    answer = requests.get(f"{shop_api.base}/products", auth=auth, timeout=TIMEOUT)
    return "ok" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['code']}"


CANNOT_VIEW = "401 woocommerce_rest_cannot_view"
BAD = "401 woocommerce_rest_authentication_error"


def test_plain_http_takes_a_signature_and_no_secret(shop: WooCommerceHandle, shop_api: Caller) -> None:
    key, secret = shop.consumer_key, shop.consumer_secret
    for method in ("HMAC-SHA256", "HMAC-SHA1"):
        assert code_with(shop_api, OAuth1(key, secret, signature_method=method)) == "ok"
        assert code_with(shop_api, OAuth1(key, "wrong", signature_method=method)) == BAD
    in_query = OAuth1(key, secret, signature_method="HMAC-SHA256", signature_type="query")
    assert code_with(shop_api, in_query) == "ok"
    assert code_with(shop_api, OAuth1("ck_unknown", secret)) == CANNOT_VIEW
    assert code_with(shop_api, (key, secret)) == CANNOT_VIEW
    assert shop.violations() == {"secret_over_http": 1}


def test_a_nonce_is_good_once_and_an_old_timestamp_never(shop: WooCommerceHandle, shop_api: Caller) -> None:
    signed = OAuth1(shop.consumer_key, shop.consumer_secret, nonce="n0nce", signature_method="HMAC-SHA256")
    assert [code_with(shop_api, signed) for _ in range(2)] == ["ok", BAD]
    old = str(int(time.time()) - 3600)
    assert code_with(shop_api, OAuth1(shop.consumer_key, shop.consumer_secret, timestamp=old)) == BAD


def test_basic_can_be_allowed_and_a_host_can_strip_the_header(
    shop: WooCommerceHandle, shop_api: Caller
) -> None:
    basic = (shop.consumer_key, shop.consumer_secret)
    shop.configure(basic_over_http=True)
    assert code_with(shop_api, basic) == "ok"
    assert code_with(shop_api, (shop.consumer_key, "wrong")) == BAD
    shop.configure(strips_authorization=True)
    assert code_with(shop_api, basic) == CANNOT_VIEW
    assert code_with(shop_api, KeysInQuery(shop)) == "ok"


def test_a_read_only_key_that_writes_is_401(shop: WooCommerceHandle, shop_api: Caller) -> None:
    shop.configure(permissions="read")
    answer = batch(shop_api, {"id": 1, "stock_quantity": 1})
    assert (answer.status_code, answer.json()["code"]) == (401, "woocommerce_rest_authentication_error")


def test_a_redirect_says_where_to_and_maintenance_when_to_come_back(
    shop: WooCommerceHandle, shop_api: Caller
) -> None:
    shop.configure(redirect_to="https://www.shop.example")
    answer = shop_api.session.get(f"{shop_api.base}/products?page=2", allow_redirects=False, timeout=TIMEOUT)
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://www.shop.example/wp-json/wc/v3/products?page=2"
    shop.configure(redirect_to="", maintenance=True)
    page = shop_api.get("/products")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "600")
    assert page.text.startswith("<!DOCTYPE html>")
    json_page = shop_api.session.get(
        f"{shop_api.base}/products", headers={"Accept": "application/json"}, timeout=TIMEOUT
    )
    assert json_page.json()["data"]["status"] == 503


def test_webhooks_are_stored_and_their_secret_is_never_read(shop_api: Caller) -> None:
    hook = {"topic": "product.updated", "delivery_url": "https://sync.example/hooks", "secret": "abc123"}
    made = shop_api.send("POST", "/webhooks", hook)
    assert made.status_code == 201
    assert "secret" not in made.json()
    number = made.json()["id"]
    assert [row["id"] for row in shop_api.get("/webhooks").json()] == [number]
    assert shop_api.send("PUT", f"/webhooks/{number}", {"status": "paused"}).json()["status"] == "paused"
    assert shop_api.send("DELETE", f"/webhooks/{number}", None).status_code == 501
    assert shop_api.send("DELETE", f"/webhooks/{number}", None, force="true").status_code == 200


def test_over_tls_basic_is_enough() -> None:
    with Simulators.start(
        bc_items=20, bigcommerce=0, woocommerce_skus=10, woocommerce_tls=True
    ) as simulators:
        (shop,) = simulators.woocommerce
        session = requests.Session()
        session.trust_env = False
        session.verify = shop.certificate_file
        session.auth = (shop.consumer_key, shop.consumer_secret)
        assert shop.url.startswith("https://")
        assert session.get(f"{shop.url}/wp-json/wc/v3/products", timeout=TIMEOUT).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{shop.url}/wp-json/wc/v3/products", timeout=TIMEOUT, verify=True)
