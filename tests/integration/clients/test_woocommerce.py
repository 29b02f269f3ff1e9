"""The WooCommerce client against a real HTTP server that keeps the vendor's rules and counts breaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.integration.clients.shops import Witness, rows, walk, write
from tests.simulators.handles import WooCommerceHandle
from tests.simulators.process import Simulators
from workers.clients.shop import Cursor, ItemRef, ShopPage, StockWrite, Tracking, Verdict
from workers.clients.woocommerce import WooCommerceClient, WooCommerceConnection
from workers.errors import (
    AuthenticationRefused,
    BadAnswer,
    ConnectionFailed,
    PartialWrite,
    PermanentFailure,
    RateLimited,
    Redirected,
    RemoteTimeout,
    Unavailable,
)

BATCH = "POST /products/batch"
PARENT = "GET /products/{id}/variations"


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    with Simulators.start(bc_items=200, bigcommerce=0, woocommerce_skus=1_500) as running:
        yield running


@pytest.fixture(scope="module")
def secure() -> Iterator[Simulators]:
    with Simulators.start(bc_items=50, bigcommerce=0, woocommerce_skus=60, woocommerce_tls=True) as running:
        yield running


def calm(shop: WooCommerceHandle) -> WooCommerceHandle:
    shop.set_faults()
    shop.configure(flat_variations=True, stock_managed=True, maintenance=False, redirect_to="")
    shop.configure(strips_authorization=False, permissions="read_write")
    shop.reset()
    return shop


@pytest.fixture
def shop(simulators: Simulators) -> Iterator[WooCommerceHandle]:
    shop = calm(simulators.woocommerce[0])
    yield shop
    assert shop.counts()["errors"] == []


@pytest.fixture
def tls_shop(secure: Simulators, monkeypatch: pytest.MonkeyPatch) -> WooCommerceHandle:
    """A shop over https whose certificate this process trusts."""
    shop = calm(secure.woocommerce[0])
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", shop.certificate_file)
    return shop


Open = Callable[..., WooCommerceClient]


@pytest.fixture
def opened() -> Iterator[Open]:
    clients: list[WooCommerceClient] = []

    def open_client(shop: WooCommerceHandle, **changed: Any) -> WooCommerceClient:
        usual = WooCommerceConnection(1, shop.url, shop.consumer_key, shop.consumer_secret)
        client = WooCommerceClient(replace(usual, **changed), write_deadline=2, allow_private=True)
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.close()


def present(shop: WooCommerceHandle) -> dict[ItemRef, dict[str, Any]]:
    return {
        ItemRef(row["product_id"], row.get("variation_id", 0)): row
        for row in shop.truth()
        if "trashed" not in row["reasons"]
    }


@pytest.mark.parametrize("flat", [True, False])
def test_a_listing_holds_every_row_of_the_shop_once(
    shop: WooCommerceHandle, opened: Open, flat: bool
) -> None:
    shop.configure(flat_variations=flat)
    client, truth = opened(shop), present(shop)
    items = rows(walk(client, client.facts(None)))
    assert len(items) == len({item.ref for item in items}) == len(truth)
    for item in items:
        row = truth[item.ref]
        assert item.sku == row["sku"]  # the reported one, also where it is the parent's
        assert (item.tracking is Tracking.NONE) == ("untracked" in row["reasons"])
        assert (item.tracking is Tracking.PARENT) == ("parent_managed" in row["reasons"])
        if item.tracking in (Tracking.PRODUCT, Tracking.VARIANT):
            assert item.shown == row["shown"]
    assert shop.violations() == {}


def test_with_the_flat_list_the_calls_are_the_pages_and_three_more(
    shop: WooCommerceHandle, opened: Open
) -> None:
    client, truth = opened(shop), present(shop)
    facts = client.facts(None)
    assert facts.details == {"flat_variations": True}
    assert shop.total_calls() == 3  # how many products, stock management, how many variations
    pages = walk(client, facts)
    products = sum(1 for ref in truth if not ref.variant_id)
    assert facts.products == products
    assert len(pages) == facts.pages == math.ceil(products / 100) + math.ceil((len(truth) - products) / 100)
    assert shop.total_calls() == 3 + len(pages) == sum(client.calls.values())
    assert {page.total for page in pages} == {products}


def test_without_the_flat_list_it_is_asked_for_once_and_each_parent_costs_a_call(
    shop: WooCommerceHandle, opened: Open
) -> None:
    shop.configure(flat_variations=False)
    first = opened(shop).facts(None)
    assert first.details == {"flat_variations": False}
    shop.reset()
    client = opened(shop, details=first.details)
    walk(client, client.facts(None))
    calls = shop.calls()
    assert "GET /variations" not in calls
    assert calls[PARENT] == len({ref.product_id for ref in present(shop) if ref.variant_id})
    assert sum(calls.values()) == 2 + first.pages + calls[PARENT]


def test_a_parent_of_more_than_a_hundred_variations_is_read_whole(
    shop: WooCommerceHandle, opened: Open
) -> None:
    shop.configure(flat_variations=False)
    made = shop.create_product(sku="MANY", variations=[{"sku": f"MANY-{n}"} for n in range(230)])
    client = opened(shop)
    read = client.read_products([made["product_id"]])
    assert {item.ref.variant_id for item in read.items} == {0, *made["variation_ids"]}
    assert shop.calls()[PARENT] == 3
    shop.delete_product(made["product_id"])


@pytest.mark.parametrize("flat", [True, False])
def test_products_deleted_between_two_pages_hide_no_other(
    shop: WooCommerceHandle, opened: Open, flat: bool
) -> None:
    shop.configure(flat_variations=flat)
    before, gone = set(present(shop)), set()
    doomed = sorted({ref.product_id for ref in before})[:60:4]
    client = opened(shop)

    def disturb(cursor: Cursor, page: ShopPage) -> None:
        for _ in range(2):
            if doomed:
                gone.add(doomed[0])
                shop.delete_product(doomed.pop(0))

    pages = walk(client, client.facts(None), disturb)
    assert {ref for ref in before if ref.product_id not in gone} <= {item.ref for item in rows(pages)}
    assert len({page.total for page in pages}) > 1  # the caller can tell that it moved


def test_a_page_that_grew_beyond_the_last_is_read_too(shop: WooCommerceHandle, opened: Open) -> None:
    client = opened(shop)
    facts = client.facts(None)
    made = [shop.create_product(sku=f"LATE-{n}", quantity=1)["product_id"] for n in range(101)]
    assert {ItemRef(number) for number in made} <= {item.ref for item in rows(walk(client, facts))}
    for number in made:
        shop.delete_product(number)


def test_a_shop_that_manages_no_stock_is_told_at_once(shop: WooCommerceHandle, opened: Open) -> None:
    shop.configure(stock_managed=False)
    with pytest.raises(PermanentFailure, match="stock management is switched off"):
        opened(shop).facts(None)


def test_reading_by_id_tells_what_exists_and_brings_the_variations(
    shop: WooCommerceHandle, opened: Open
) -> None:
    truth = present(shop)
    variation = next(ref for ref in truth if ref.variant_id)
    simple = next(ref.product_id for ref in truth if ref.product_id != variation.product_id)
    trashed = shop.create_product(sku="TRASHED")["product_id"]
    shop.trash_product(trashed)
    wanted = [variation.product_id, simple, trashed, variation.variant_id, 77_777_777]
    read = opened(shop).read_products(wanted)
    assert read.found == {variation.product_id, simple}
    assert {i.ref for i in read.items} == {ref for ref in truth if ref.product_id in read.found}
    shop.delete_product(trashed)


@pytest.mark.parametrize("route", ["GET /products", "GET /products/{id}/variations"])
def test_a_read_by_id_that_gets_another_reads_answer_is_not_believed(
    shop: WooCommerceHandle, opened: Open, route: str
) -> None:
    """What it lacks would be taken for deleted."""
    one, other = sorted({ref.product_id for ref in present(shop) if ref.variant_id})[:2]
    client = opened(shop)
    client.read_products([one])
    shop.set_faults(rules=[{"route": route, "kind": "repeated"}])
    with pytest.raises(BadAnswer) as caught:
        client.read_products([other])
    assert (caught.value.code, caught.value.permanent) == ("unasked_row", False)


def test_stock_is_read_for_products_and_variations(shop: WooCommerceHandle, opened: Open) -> None:
    truth = present(shop)
    refs = [*list(truth)[:120], ItemRef(77_777_777), ItemRef(77_777_777, 5)]
    stock = opened(shop).read_stock(refs)
    held = {r for r in refs if r in truth and not {"untracked", "parent_managed"} & set(truth[r]["reasons"])}
    assert stock == {ref: truth[ref]["shown"] for ref in held}
    assert shop.violations() == {}


def writable(shop: WooCommerceHandle) -> list[StockWrite]:
    held = [
        ref for ref, row in present(shop).items() if not {"untracked", "parent_managed"} & set(row["reasons"])
    ]
    return [
        StockWrite(ref, 1_000 + n, Tracking.VARIANT if ref.variant_id else Tracking.PRODUCT)
        for n, ref in enumerate(held)
    ]


def test_every_row_is_set_and_shows_what_was_sent(shop: WooCommerceHandle, opened: Open) -> None:
    writes, client = writable(shop), opened(shop)
    results = write(client, writes)
    assert {r.ref: (r.verdict, r.shown) for r in results} == {
        w.ref: (Verdict.ACCEPTED, w.quantity) for w in writes
    }
    products = sum(1 for w in writes if not w.ref.variant_id)
    assert shop.calls()[BATCH] == math.ceil(products / 100)
    assert len(shop.writes()) == len(writes)
    assert shop.violations() == {}


def products(shop: WooCommerceHandle, count: int) -> list[StockWrite]:
    return [w for w in writable(shop) if not w.ref.variant_id][:count]


def test_bad_rows_are_told_apart_from_what_the_shop_ignored(shop: WooCommerceHandle, opened: Open) -> None:
    good = products(shop, 10)
    external = shop.create_product(sku="EXT", type="external")["product_id"]
    variation = next(ref for ref in present(shop) if ref.variant_id).variant_id
    odd = {
        ItemRef(77_777_777): "unknown_item",
        ItemRef(variation): "unknown_item",
        ItemRef(external): "untracked",
    }
    bad = [StockWrite(ref, 4, Tracking.PRODUCT) for ref in odd]
    witness = Witness()
    results = opened(shop).set_stock([*good[:5], *bad, *good[5:]], witness)
    assert [len(call) for call in witness.calls] == [13]
    assert {r.ref: r.reason for r in results if r.verdict is not Verdict.ACCEPTED} == odd
    assert {r.ref for r in results if r.verdict is Verdict.ACCEPTED} == {w.ref for w in good}
    shop.delete_product(external)


def test_a_shop_that_stopped_managing_stock_ignores_and_we_say_so(
    shop: WooCommerceHandle, opened: Open
) -> None:
    writes = products(shop, 5)
    shop.configure(stock_managed=False)
    results = opened(shop).set_stock(writes, Witness())
    assert {(r.verdict, r.reason) for r in results} == {(Verdict.IGNORED, "untracked")}


def test_variations_of_a_product_that_is_gone_are_refused_and_nothing_else(
    shop: WooCommerceHandle, opened: Open
) -> None:
    gone = StockWrite(ItemRef(77_777_777, 5), 4, Tracking.VARIANT)
    good = products(shop, 3)
    results = opened(shop).set_stock([gone, *good], Witness())
    assert {r.ref: r.reason for r in results if r.verdict is Verdict.REFUSED} == {gone.ref: "unknown_item"}
    assert {r.ref for r in results if r.verdict is Verdict.ACCEPTED} == {w.ref for w in good}


@pytest.mark.parametrize("quantity", [-1, 2_147_483_648, 2.9, "abc", ""])
def test_a_quantity_that_the_shop_would_bend_is_never_sent(
    shop: WooCommerceHandle, opened: Open, quantity: Any
) -> None:
    results = opened(shop).set_stock([StockWrite(ItemRef(5), quantity, Tracking.PRODUCT)], Witness())
    assert [(r.verdict, r.reason) for r in results] == [(Verdict.REFUSED, "quantity_out_of_range")]
    assert shop.total_calls() == 0


@pytest.mark.parametrize(
    ("kind", "error", "unknown"),
    [
        ("timeout", RemoteTimeout, True),
        ("apply_then_reset", ConnectionFailed, True),
        ("truncated", BadAnswer, True),
        ("html_200", BadAnswer, True),
        ("html_502", Unavailable, True),
        ("429_bare", RateLimited, False),
    ],
)
def test_a_write_without_an_answer_is_sent_once_and_its_outcome_told(
    shop: WooCommerceHandle, opened: Open, kind: str, error: type[Exception], unknown: bool
) -> None:
    writes = products(shop, 5)
    shop.reset()
    shop.set_faults(rules=[{"kind": kind, "route": BATCH}])
    with pytest.raises(error) as raised:
        opened(shop).set_stock(writes, Witness())
    assert getattr(raised.value, "outcome_unknown") is unknown  # noqa: B009 - of whichever error it is
    assert shop.total_calls() == 1


def test_what_was_decided_before_a_stop_is_kept(shop: WooCommerceHandle, opened: Open) -> None:
    writes = products(shop, 102)
    shop.set_faults(rules=[{"kind": "apply_then_reset", "route": BATCH, "nth": 2}])
    with pytest.raises(PartialWrite) as stopped:
        opened(shop).set_stock(writes, Witness())
    assert {r.ref for r in stopped.value.results} == {w.ref for w in writes[:100]}
    assert set(stopped.value.unsure) == {w.ref for w in writes[100:]}
    assert isinstance(stopped.value.cause, ConnectionFailed)


def lines(client: WooCommerceClient) -> dict[str, tuple[bool, str | None]]:
    return {result.name: (result.ok, result.field) for result in client.check()}


NAMES = ("key", "stock_management", "products", "variations", "writes")


def test_a_good_site_passes_every_check_and_is_not_written(shop: WooCommerceHandle, opened: Open) -> None:
    before = len(shop.writes())
    assert lines(opened(shop)) == dict.fromkeys(NAMES, (True, None))
    assert len(shop.writes()) == before
    assert shop.violations() == {}


def test_a_shop_without_the_flat_list_passes_too(shop: WooCommerceHandle, opened: Open) -> None:
    shop.configure(flat_variations=False)
    assert lines(opened(shop)) == dict.fromkeys(NAMES, (True, None))


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"consumer_key": "ck_unknown"}, "consumer_key", "cannot_view"),
        ({"consumer_secret": "cs_wrong"}, "consumer_secret", "signature"),
        ({"url": "http://127.0.0.1:9"}, "url", "connection failed"),
        ({"url": "http://nowhere.invalid"}, "url", "DNS"),
    ],
)
def test_a_shop_that_cannot_be_entered_says_so_in_one_line(
    shop: WooCommerceHandle, opened: Open, changed: dict[str, Any], field: str, words: str
) -> None:
    (line,) = opened(shop, **changed).check()
    assert (line.name, line.ok, line.field) == ("key", False, field)
    assert words in line.message
    assert shop.consumer_secret not in line.message


def test_an_address_without_woocommerce_says_so(shop: WooCommerceHandle, opened: Open) -> None:
    (line,) = opened(shop, url=f"{shop.url}/elsewhere").check()
    assert (line.ok, line.field) == (False, "url")


def test_a_redirect_is_told_and_not_followed(shop: WooCommerceHandle, opened: Open) -> None:
    shop.configure(redirect_to="https://www.shop.example")
    (line,) = opened(shop).check()
    assert (line.ok, line.field) == (False, "url")
    assert "https://www.shop.example/wp-json/wc/v3/products" in line.message
    assert "oauth" not in line.message
    with pytest.raises(Redirected):
        opened(shop).facts(None)


def test_maintenance_is_no_fault_of_the_site(shop: WooCommerceHandle, opened: Open) -> None:
    shop.configure(maintenance=True)
    (line,) = opened(shop).check()
    assert (line.ok, line.field) == (False, None)
    with pytest.raises(Unavailable) as error:
        opened(shop).facts(None)
    assert error.value.retry_after == 600


def test_stock_management_that_is_off_and_a_key_that_may_only_read_are_named(
    shop: WooCommerceHandle, opened: Open
) -> None:
    shop.configure(stock_managed=False, permissions="read")
    results = {result.name: result for result in opened(shop).check()}
    assert {name for name, result in results.items() if not result.ok} == {"stock_management", "writes"}
    assert "Settings > Products > Inventory" in results["stock_management"].message
    assert results["writes"].field == "consumer_key"
    assert "Read/Write" in results["writes"].message


def test_over_https_the_keys_go_in_the_header(tls_shop: WooCommerceHandle, opened: Open) -> None:
    client = opened(tls_shop)
    facts = client.facts(None)
    assert len(rows(walk(client, facts))) == len(present(tls_shop))
    assert "auth" not in facts.details
    assert all("consumer_" not in seen["target"] for seen in tls_shop.requests_seen())
    assert lines(client) == dict.fromkeys(NAMES, (True, None))


def test_a_host_that_strips_the_header_gets_the_keys_in_the_query_from_then_on(
    tls_shop: WooCommerceHandle, opened: Open
) -> None:
    tls_shop.configure(strips_authorization=True)
    facts = opened(tls_shop).facts(None)
    assert facts.details["auth"] == "query"
    tls_shop.reset()
    client = opened(tls_shop, details=facts.details)
    client.list_page(facts.cursors[0])
    assert tls_shop.total_calls() == 1
    line = opened(tls_shop).check()[0]
    assert line.ok
    assert "strips the Authorization header" in line.message


def test_an_unknown_key_over_https_is_refused_both_ways(tls_shop: WooCommerceHandle, opened: Open) -> None:
    (line,) = opened(tls_shop, consumer_key="ck_unknown").check()
    assert (line.ok, line.field) == (False, "consumer_key")
    with pytest.raises(AuthenticationRefused):
        opened(tls_shop, consumer_key="ck_unknown").facts(None)


def test_a_wrong_secret_over_https_is_named(tls_shop: WooCommerceHandle, opened: Open) -> None:
    (line,) = opened(tls_shop, consumer_secret="cs_wrong").check()
    assert (line.ok, line.field) == (False, "consumer_secret")


def test_a_certificate_that_is_not_trusted_is_the_addresss_fault(secure: Simulators, opened: Open) -> None:
    (line,) = opened(calm(secure.woocommerce[0])).check()
    assert (line.ok, line.field) == (False, "url")
    assert "TLS" in line.message
