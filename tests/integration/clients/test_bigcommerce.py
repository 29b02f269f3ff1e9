"""The BigCommerce client against a real HTTP server that keeps the vendor's rules and counts breaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.clients.shops import Witness, rows, walk
from tests.simulators.handles import BigCommerceHandle
from tests.simulators.process import Simulators
from workers.clients.bigcommerce import BigCommerceClient, BigCommerceConnection
from workers.clients.bigcommerce_api import BigCommerceApi
from workers.clients.bigcommerce_rows import INVENTORY
from workers.clients.shop import Cursor, ItemRef, ShopPage, StockWrite, Tracking, Verdict
from workers.errors import (
    BadAnswer,
    ConfigurationError,
    ConnectionFailed,
    LeaseLost,
    PartialWrite,
    RateLimited,
    RemoteTimeout,
    ScopeMissing,
)

ONE = [{"id": 7, "code": "WAREHOUSE", "enabled": True, "is_default": True}]
TWO = [*ONE, {"id": 8, "code": "SHOWROOM", "enabled": True, "is_default": False}]
SCOPES = ["store_v2_products", "store_inventory", "store_locations", "store_channel_settings"]


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    with Simulators.start(bc_items=200, bigcommerce_skus=8_000, woocommerce_skus=10) as running:
        yield running


@pytest.fixture
def shop(simulators: Simulators) -> Iterator[BigCommerceHandle]:
    """The store, calm: no faults, writes land at once, one location, an ample quota."""
    shop = simulators.bigcommerce[0]
    shop.set_faults()
    shop.set_landing(0, 0)
    shop.configure(quota=1_000_000, scopes=[*SCOPES, "store_v2_information_read_only"])
    shop.control("locations", locations=ONE)
    shop.reset()
    yield shop
    assert shop.counts()["errors"] == []


def connection(shop: BigCommerceHandle, **changed: Any) -> BigCommerceConnection:
    usual = BigCommerceConnection(
        site_id=1,
        store_hash=shop.store_hash,
        access_token=shop.access_token,
        api_url=shop.api_url,
        channel_ids=tuple(shop.channel_ids),
    )
    return replace(usual, **changed)


Open = Callable[..., BigCommerceClient]


@pytest.fixture
def opened(shop: BigCommerceHandle) -> Iterator[Open]:
    clients: list[BigCommerceClient] = []

    def open_client(**changed: Any) -> BigCommerceClient:
        client = BigCommerceClient(
            connection(shop, **changed), settle_seconds=60, write_deadline=2, allow_private=True
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.close()


def ours(shop: BigCommerceHandle) -> dict[ItemRef, dict[str, Any]]:
    """The rows of our channels as the store knows them."""
    return {
        ItemRef(row["product_id"], row.get("variant_id", 0)): row
        for row in shop.truth()
        if "other_channel" not in row["reasons"]
    }


def test_a_listing_holds_every_row_of_the_channels_once(shop: BigCommerceHandle, opened: Open) -> None:
    client, truth = opened(), ours(shop)
    items = rows(walk(client, client.facts(None)))
    assert len(items) == len({item.ref for item in items}) == len(truth)
    for item in items:
        row = truth[item.ref]
        assert item.sku == row["sku"]
        assert (item.tracking is Tracking.NONE) == ("untracked" in row["reasons"])
        assert (item.tracking is Tracking.PARENT) == ("tracked_by_product" in row["reasons"])
        if item.tracking in (Tracking.PRODUCT, Tracking.VARIANT):
            assert item.shown == row["shown"]
    assert shop.violations() == {}


def test_a_listing_takes_the_fewest_pages_and_a_fixed_handful_of_calls(
    shop: BigCommerceHandle, opened: Open
) -> None:
    client = opened()
    facts = client.facts(None)
    fixed = shop.total_calls()
    pages = walk(client, facts)
    assert facts.products > 2_000
    assert len(facts.cursors) == 4
    assert len(pages) == facts.pages == math.ceil(facts.products / 250)
    assert fixed == 7  # locations, two counts, one page of inventory, three borders
    assert shop.total_calls() - fixed == len(pages)
    assert sum(client.calls.values()) == shop.total_calls()


def test_four_lanes_are_of_equal_length_however_the_ids_are_spread(
    shop: BigCommerceHandle, opened: Open
) -> None:
    client = opened()
    lengths: dict[Any, int] = {}

    def count(cursor: Cursor, page: ShopPage) -> None:
        lengths[cursor["upto"]] = lengths.get(cursor["upto"], 0) + 1

    walk(client, client.facts(None), count)
    assert max(lengths.values()) - min(lengths.values()) <= 1


def test_products_that_come_and_go_between_two_pages_hide_no_other(
    shop: BigCommerceHandle, opened: Open
) -> None:
    before = {ref for ref in ours(shop) if not ref.variant_id}
    client = opened()
    gone: set[int] = set()
    new: list[int] = []
    doomed = sorted(ref.product_id for ref in before)[:400:10]

    def disturb(cursor: Cursor, page: ShopPage) -> None:
        for _ in range(3):
            if doomed:
                gone.add(doomed[0])
                shop.delete_product(doomed.pop(0))
        new.append(shop.create_product(sku=f"NEW-{len(new)}", quantity=1)["product_id"])

    found = {item.ref for item in rows(walk(client, client.facts(None), disturb)) if not item.ref.variant_id}
    assert {ref for ref in before if ref.product_id not in gone} <= found
    for product in new:
        shop.delete_product(product)


def test_the_products_outside_the_channels_are_counted(shop: BigCommerceHandle, opened: Open) -> None:
    facts, whole = opened().facts(None), opened(channel_ids=()).facts(None)
    assert whole.outside == 0
    assert facts.outside == whole.products - facts.products > 0


def test_the_only_enabled_location_is_found_and_remembered(shop: BigCommerceHandle, opened: Open) -> None:
    facts = opened().facts(None)
    assert facts.details["location_id"] == 7
    assert facts.details["read_inventory"] is False
    shop.reset()
    reader = opened(details=facts.details)
    reader.read_stock([ItemRef(ref.product_id) for ref in list(ours(shop))[:1]])
    assert shop.total_calls() == 1


def test_a_page_of_the_inventory_is_probed_each_run_another_one(
    shop: BigCommerceHandle, opened: Open
) -> None:
    first = opened().facts(None)
    second = opened(details=first.details).facts(None)
    assert first.details["inventory_pages"] > 1
    assert [f.details["inventory_probe_page"] for f in (first, second)] == [1, 2]


@pytest.mark.parametrize(
    ("locations", "chosen", "words"),
    [
        (TWO, None, "choose one of 7 (Warehouse), 8 (Showroom)"),
        (TWO, 9, "does not exist; choose one of 7"),
        ([{**ONE[0], "enabled": False}, TWO[1]], 7, "is disabled; choose one of 8"),
        ([{**ONE[0], "enabled": False}], None, "no enabled location"),
    ],
)
def test_a_location_that_must_be_chosen_is_asked_for_with_the_choice(
    shop: BigCommerceHandle, opened: Open, locations: list[Any], chosen: int | None, words: str
) -> None:
    shop.control("locations", locations=locations)
    with pytest.raises(ConfigurationError) as error:
        opened(location_id=chosen).facts(None)
    assert error.value.field == "location_id"
    assert words in error.value.message


def test_with_several_locations_the_rows_show_what_is_on_hand_at_the_chosen_one(
    shop: BigCommerceHandle, opened: Open
) -> None:
    shop.control("locations", locations=TWO)
    client = opened(location_id=8)
    facts = client.facts(None)
    assert facts.details["read_inventory"] is True
    page = client.list_page(facts.cursors[0])
    assert {item.shown for item in page.items if item.tracking is Tracking.VARIANT} == {0}
    assert {item.shown for item in page.items if item.tracking is Tracking.PRODUCT} == {0}


def test_shop_side_safety_stock_is_noticed_and_the_rows_show_what_is_on_hand(
    shop: BigCommerceHandle, opened: Open
) -> None:
    product = min(row["product_id"] for row in shop.truth() if not row["reasons"])
    shop.change_product(product, safety_stock=3)
    try:
        client = opened()
        facts = client.facts(None)
        assert facts.details["read_inventory"] is True
        truth = ours(shop)
        for item in rows([client.list_page(facts.cursors[0])]):
            if item.tracking in (Tracking.PRODUCT, Tracking.VARIANT):
                assert item.shown == truth[item.ref]["shown"]
        assert opened(details=facts.details).facts(None).details["read_inventory"] is True
    finally:
        shop.change_product(product, safety_stock=0)


def test_reading_by_id_tells_what_exists_in_the_channels(shop: BigCommerceHandle, opened: Open) -> None:
    everything = shop.truth()
    inside = next(row for row in everything if not row["reasons"] and row.get("variant_id"))["product_id"]
    outside = next(row["product_id"] for row in everything if "other_channel" in row["reasons"])
    read = opened().read_products([inside, outside, 77_777_777, inside])
    assert read.found == {inside}
    assert {item.ref for item in read.items} == {ref for ref in ours(shop) if ref.product_id == inside}


def test_a_read_by_id_that_gets_another_reads_answer_is_not_believed(
    shop: BigCommerceHandle, opened: Open
) -> None:
    """What it lacks would be taken for deleted."""
    one, other = sorted({ref.product_id for ref in ours(shop)})[:2]
    client = opened(details={"location_id": 7, "read_inventory": False})
    reads: list[Callable[[int], object]] = [
        lambda product: client.read_products([product]),
        lambda product: client.read_stock([ItemRef(product)]),
    ]
    for read in reads:
        shop.set_faults(rules=[{"kind": "repeated", "nth": 2}])
        read(one)
        with pytest.raises(BadAnswer) as caught:
            read(other)
        assert (caught.value.code, caught.value.permanent) == ("unasked_row", False)


def test_a_page_that_is_the_one_before_again_is_a_bad_answer(shop: BigCommerceHandle) -> None:
    shop.set_faults(rules=[{"route": "GET /inventory/items", "kind": "repeated", "nth": 2}])
    api = BigCommerceApi(connection(shop), None, allow_private=True)
    with pytest.raises(BadAnswer) as caught:
        api.all_rows("v3/inventory/items", INVENTORY, {"limit": 1000})
    assert caught.value.code == "repeated_page"


def test_five_hundred_products_are_read_in_two_calls(shop: BigCommerceHandle, opened: Open) -> None:
    ids = sorted({ref.product_id for ref in ours(shop)})[:500]
    client = opened(details={"location_id": 7, "read_inventory": False})
    assert client.read_products(ids).found == set(ids)
    assert shop.total_calls() == 2


def test_stock_is_read_at_the_location_for_products_and_variants(
    shop: BigCommerceHandle, opened: Open
) -> None:
    truth = {ref: row for ref, row in ours(shop).items() if not row["reasons"]}
    refs = [*list(truth)[:900], ItemRef(77_777_777), ItemRef(77_777_777, 5)]
    stock = opened().read_stock(refs)
    assert stock == {ref: truth[ref]["shown"] for ref in refs if ref in truth}
    assert shop.violations() == {}


def writable(client: BigCommerceClient, count: int) -> list[StockWrite]:
    page = client.list_page({"after": 0, "upto": None, "of": 0})
    held = [i for i in page.items if i.tracking in (Tracking.PRODUCT, Tracking.VARIANT)][:count]
    assert {i.tracking for i in held} == {Tracking.PRODUCT, Tracking.VARIANT}
    return [StockWrite(i.ref, 1_000 + n, i.tracking) for n, i in enumerate(held)]


def test_a_batch_is_one_call_and_sets_every_row(shop: BigCommerceHandle, opened: Open) -> None:
    client, witness = opened(), Witness()
    writes = writable(client, 300)
    shop.reset()
    results = client.set_stock(writes, witness)
    assert shop.total_calls() == 1
    assert witness.calls == [writes]
    assert {r.verdict for r in results} == {Verdict.ACCEPTED}
    assert {r.shown for r in results} == {None}  # accepted, not shown: BigCommerce is asynchronous
    assert client.read_stock([w.ref for w in writes]) == {w.ref: w.quantity for w in writes}
    assert shop.violations() == {}


def test_bad_rows_are_found_and_the_others_written(shop: BigCommerceHandle, opened: Open) -> None:
    client, witness = opened(), Witness()
    writes = writable(client, 200)
    unknown = StockWrite(ItemRef(77_777_777, 88_888_888), 4, Tracking.VARIANT)
    variant = next(w for w in writes if w.tracking is Tracking.VARIANT)
    moved = shop.create_product(variants=[{"sku": "MOVED-1"}, {"sku": "MOVED-2"}], tracking="product")
    mismatched = StockWrite(ItemRef(moved["product_id"], moved["variant_ids"][0]), 4, Tracking.VARIANT)
    too_much = StockWrite(variant.ref, 2_147_483_648, Tracking.VARIANT)
    good = [w for w in writes if w is not variant]
    results = client.set_stock([*good[:50], unknown, *good[50:], mismatched, too_much], witness)
    assert {r.ref: r.reason for r in results if r.verdict is Verdict.REFUSED} == {
        unknown.ref: "unknown_item",
        mismatched.ref: "tracked_by_product",
        too_much.ref: "quantity_out_of_range",
    }
    assert {r.ref for r in results if r.verdict is Verdict.ACCEPTED} == {w.ref for w in good}
    assert client.read_stock([w.ref for w in good]) == {w.ref: w.quantity for w in good}
    assert len(witness.calls) <= 6
    assert shop.violations() == {}
    shop.delete_product(moved["product_id"])


def test_a_location_that_was_switched_off_is_no_rows_fault(shop: BigCommerceHandle, opened: Open) -> None:
    client = opened(location_id=7)
    writes = writable(client, 20)
    shop.control("locations", locations=[{**ONE[0], "enabled": False}, TWO[1]])
    with pytest.raises(ConfigurationError, match="location_id"):
        client.set_stock(writes, Witness())
    assert shop.calls()["PUT /inventory/adjustments/absolute"] == 1


@pytest.mark.parametrize(
    ("kind", "error", "unknown"),
    [
        ("timeout", RemoteTimeout, True),
        ("apply_then_reset", ConnectionFailed, True),
        ("truncated", BadAnswer, True),
        ("html_200", BadAnswer, True),
        ("429", RateLimited, False),
        ("429_bare", RateLimited, False),
    ],
)
def test_a_write_without_an_answer_is_sent_once_and_its_outcome_told(
    shop: BigCommerceHandle, opened: Open, kind: str, error: type[Exception], unknown: bool
) -> None:
    client = opened()
    writes = writable(client, 20)
    shop.set_faults(rules=[{"kind": kind, "route": "PUT *absolute"}])
    with pytest.raises(error) as raised:
        client.set_stock(writes, Witness())
    assert getattr(raised.value, "outcome_unknown") is unknown  # noqa: B009 - of whichever error it is
    assert shop.calls()["PUT /inventory/adjustments/absolute"] == 1


def test_a_limit_half_way_keeps_what_was_decided(shop: BigCommerceHandle, opened: Open) -> None:
    client = opened()
    writes = writable(client, 20)
    unknown = StockWrite(ItemRef(77_777_777), 4, Tracking.PRODUCT)
    shop.set_faults(rules=[{"kind": "429", "route": "PUT *absolute", "nth": 3}])
    with pytest.raises(PartialWrite) as stopped:
        client.set_stock([*writes, unknown], Witness())
    assert {r.ref for r in stopped.value.results} == {w.ref for w in writes}
    assert stopped.value.unsure == ()
    assert isinstance(stopped.value.cause, RateLimited)


def test_a_lost_lease_stops_before_anything_is_sent(shop: BigCommerceHandle, opened: Open) -> None:
    client = opened()
    writes = writable(client, 20)

    def lost(_: object) -> None:
        raise LeaseLost("another job holds this store")

    with pytest.raises(LeaseLost):
        client.set_stock(writes, lost)
    assert "PUT /inventory/adjustments/absolute" not in shop.calls()


def lines(client: BigCommerceClient) -> dict[str, tuple[bool, str | None]]:
    return {result.name: (result.ok, result.field) for result in client.check()}


def test_a_good_site_passes_every_check(shop: BigCommerceHandle, opened: Open) -> None:
    names = ("token", "store", "location", "channels", "products", "inventory")
    assert lines(opened()) == dict.fromkeys(names, (True, None))
    assert shop.violations() == {}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"access_token": "not the right one"}, "access_token"),
        ({"store_hash": "elsewhere"}, "store_hash"),
        ({"api_url": "http://127.0.0.1:9"}, "api_url"),
        ({"api_url": "http://nowhere.invalid"}, "api_url"),
    ],
)
def test_a_store_that_cannot_be_entered_says_so_in_one_line(
    opened: Open, changed: dict[str, Any], field: str
) -> None:
    assert lines(opened(**changed)) == {"token": (False, field)}


def test_a_wrong_channel_and_a_location_to_choose_are_named(shop: BigCommerceHandle, opened: Open) -> None:
    shop.control("locations", locations=TWO)
    found = lines(opened(channel_ids=(1, 99)))
    assert found["channels"] == (False, "channel_ids")
    assert found["location"] == (False, "location_id")
    assert found["inventory"] == (True, None)


def test_a_missing_scope_is_named(shop: BigCommerceHandle, opened: Open) -> None:
    shop.configure(scopes=["store_v2_products", "store_locations"])
    results = {result.name: result for result in opened().check()}
    assert {name for name, result in results.items() if not result.ok} == {"channels", "inventory"}
    assert "store_inventory" in results["inventory"].message
    assert results["inventory"].field == "access_token"
    with pytest.raises(ScopeMissing, match="store_inventory"):
        opened().facts(None)


def test_channels_and_locations_can_be_chosen_from(shop: BigCommerceHandle, opened: Open) -> None:
    client = opened()
    assert [(c.id, c.name) for c in client.channels()] == [(n, f"Storefront {n}") for n in (1, 2, 3)]
    assert [(place.id, place.label) for place in client.locations()] == [(7, "Warehouse")]


def test_no_secret_shows_in_an_error_or_a_representation(opened: Open, shop: BigCommerceHandle) -> None:
    assert shop.access_token not in repr(connection(shop))
    client = opened(access_token="a-secret-token-of-a-shop")
    assert "a-secret-token-of-a-shop" not in " ".join(result.message for result in client.check())
