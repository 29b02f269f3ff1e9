"""What an event of a product leads to: the shop is read again, and stock goes only where it may."""

from __future__ import annotations

from typing import Any

from models.database import execute, row, rows
from models.site import Site
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain, let_time_pass, sync
from tests.places import run_of
from workers import execute as worker
from workers.full_sync.requests import request_sync
from workers.webhooks import intake
from workers.webhooks.events import Event
from workers.webhooks.intake import Delivery
from workers.webhooks.proofs import Verdict
from workers.webhooks.site_keys import SiteKeys


def happened(site: Site, *product_ids: int) -> list[int]:
    """An event of each product, received a while after the last one; gives the deliveries' ids."""
    let_time_pass(6)
    keys = SiteKeys(site.id, site.platform, True, site.store_hash, ("signature",), (), None)
    accepted = [
        intake.accept(keys, Event("changed", None, product_id), Verdict.VERIFIED, Delivery({}, b"{}", "test"))
        for product_id in product_ids
    ]
    return [delivery_id for delivery_id, _ in accepted]


def follow(shop: Shop, *product_ids: int) -> None:
    """An event of each product, done to the end."""
    deliveries = happened(shop.site, *product_ids)
    drain()
    found = rows("SELECT status, error_message FROM rm_webhook_log WHERE id = ANY (%s)", (deliveries,))
    assert set(found) == {("completed", None)}


def sell(shop: Shop, product_id: int, quantity: int) -> None:
    """An order in the shop, which BC has not heard of."""
    shop.handle.control("sell", product_id=product_id, quantity=quantity)


def show(shop: Shop, product_id: int, quantity: int) -> None:
    """Somebody types in a quantity in the shop's own panel."""
    shop.handle.control("set_shop_stock", product_id=product_id, quantity=quantity)


def change(shop: Shop, product_id: int, **fields: Any) -> None:
    """Somebody edits the product there."""
    shop.handle.control("change_product", product_id=product_id, **fields)


def later(shop: Shop) -> None:
    """Long enough for writes to have settled and for BC to be asked again."""
    let_time_pass(120)


def test_a_new_product_shows_bcs_stock_at_once(shop: Shop) -> None:
    product = shop.add_stocked("NEW-1", in_bc=7)

    follow(shop, product)

    assert shop.shown(product) == 7
    assert shop.item(product)["agreed"] == 7


def test_what_the_shop_has_just_sold_is_not_given_back(shop: Shop) -> None:
    product = shop.add_stocked("LAST-1", in_bc=1)
    follow(shop, product)
    later(shop)

    sell(shop, product, 1)
    follow(shop, product)

    assert shop.shown(product) == 0
    assert len(shop.written()) == 1
    assert shop.item(product)["drift_since"] is not None


def test_a_full_sync_raises_what_a_webhook_may_not(shop: Shop) -> None:
    product = shop.add_stocked("DRIFT-1", in_bc=5)
    follow(shop, product)
    later(shop)
    sell(shop, product, 2)
    follow(shop, product)

    later(shop)
    sync(shop.site.id)

    assert shop.shown(product) == 5
    assert shop.item(product)["drift_since"] is None


def test_bcs_new_stock_is_pushed_by_the_next_event(shop: Shop) -> None:
    product = shop.add_stocked("MORE-1", in_bc=1)
    follow(shop, product)
    later(shop)
    sell(shop, product, 1)

    shop.bc.set_stock({"MORE-1": 9})
    follow(shop, product)

    assert shop.shown(product) == 9


def test_a_shop_that_shows_too_much_is_lowered_at_once(shop: Shop) -> None:
    product = shop.add_stocked("LESS-1", in_bc=3)
    follow(shop, product)
    later(shop)
    show(shop, product, 40)

    follow(shop, product)

    assert shop.shown(product) == 3


def test_an_echo_of_our_own_write_costs_one_read_and_no_push_and_bc_is_not_asked(shop: Shop) -> None:
    product = shop.add_stocked("ECHO-1", in_bc=4)
    follow(shop, product)
    later(shop)
    shop.handle.reset()
    shop.bc.reset()

    follow(shop, product)

    assert len(shop.written()) == 1
    assert shop.handle.total_calls() <= 2  # BigCommerce: the product, and its stock
    assert shop.bc.calls() == {}


def test_many_waiting_products_are_read_in_one_call_and_bc_is_asked_in_one_chain(shop: Shop) -> None:
    products = [shop.add_stocked(f"MANY-{number}", in_bc=number) for number in range(40)]
    sync(shop.site.id)
    later(shop)
    for product in products:
        show(shop, product, 100)
    happened(shop.site, *products)
    shop.handle.reset()
    shop.bc.reset()

    first = row("SELECT min(id) FROM rm_queue WHERE kind = 'webhook.product' AND status = 'pending'")
    assert first is not None
    assert worker.execute(first[0])

    assert shop.handle.total_calls() <= 2
    assert shop.bc.total_calls() <= 2  # a token, perhaps
    drain()
    assert [shop.shown(product) for product in products] == list(range(40))


def test_a_deleted_product_is_deactivated_and_a_late_page_does_not_bring_it_back(shop: Shop) -> None:
    product = shop.add_stocked("GONE-1", in_bc=4)
    follow(shop, product)
    later(shop)

    shop.delete(product)
    follow(shop, product)

    assert shop.active() == set()
    follow(shop, product)
    assert shop.active() == set()


def test_an_event_of_a_product_that_never_existed_does_nothing(shop: Shop) -> None:
    follow(shop, 987654)

    assert shop.active() == set()


def test_a_changed_sku_is_followed_and_gets_its_own_stock(shop: Shop) -> None:
    product = shop.add_stocked("OLD-1", in_bc=4)
    shop.bc.add_item("NEW-SKU", 11)
    follow(shop, product)
    later(shop)

    change(shop, product, sku="NEW-SKU")
    follow(shop, product)

    assert (shop.shown(product), shop.item(product)["sku"]) == (11, "NEW-SKU")


def test_a_new_product_whose_sku_is_ambiguous_after_the_cut_stops_both(shop: Shop) -> None:
    shop.bc.add_item("A" * 20, 3)
    first = shop.add("A" * 20, 1)
    follow(shop, first)
    assert shop.shown(first) == 3
    later(shop)

    second = shop.add("A" * 20 + "-XL", 1)
    follow(shop, second)

    assert shop.reasons() == {"A" * 20: "ambiguous", "A" * 20 + "-XL": "ambiguous"}
    assert shop.shown(second) == 1


def test_while_a_shop_is_listed_for_the_first_time_its_events_write_nothing(shop: Shop) -> None:
    """The page that shows that a SKU is ambiguous may not have been read yet."""
    shop.bc.add_item("A" * 20, 3)
    twin, other = shop.add("A" * 20, 1), shop.add("A" * 20 + "-XL", 1)
    plain = shop.add_stocked("PLAIN-1", in_bc=9)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    do_next("sync.start", run_id)
    happened(shop.site, twin, plain)

    do_next(intake.KIND)  # both at once

    assert rows("SELECT 1 FROM rm_pushes") == []
    drain(lambda: run_of(run_id).status not in ("queued", "running"))
    assert (run_of(run_id).status, shop.shown(plain)) == ("completed", 9)
    assert (shop.shown(twin), shop.shown(other)) == (1, 1)
    assert {status for (status,) in rows("SELECT status FROM rm_webhook_log")} == {"completed"}


def test_safety_stock_is_kept_back(shop: Shop) -> None:
    execute("UPDATE rm_sites SET safety_stock = 3 WHERE id = %s", (shop.site.id,))
    product = shop.add_stocked("SAFE-1", in_bc="10.9")

    follow(shop, product)

    assert shop.shown(product) == 7


def test_an_inactive_site_is_left_alone(shop: Shop) -> None:
    product = shop.add_stocked("PAUSED-1", in_bc=4)
    (delivery,) = happened(shop.site, product)
    execute("UPDATE rm_sites SET active = false WHERE id = %s", (shop.site.id,))

    drain()

    assert rows("SELECT status FROM rm_webhook_log WHERE id = %s", (delivery,)) == [("ignored",)]
    assert shop.shown(product) == 0


def test_while_bc_is_down_the_shop_is_followed_and_its_breaker_stays_closed(shop: Shop) -> None:
    product = shop.add_stocked("DOWN-1", in_bc=4)
    shop.bc.set_faults(rate=1.0, mix={"500": 1}, seed=1)
    (delivery,) = happened(shop.site, product)

    pending = row("SELECT id FROM rm_queue WHERE status = 'pending'")
    assert pending is not None
    worker.execute(pending[0])

    assert shop.active() == {product}
    found = row("SELECT status, attempts, error_message FROM rm_webhook_log WHERE id = %s", (delivery,))
    assert found is not None
    assert found[:2] == ("received", 1)
    assert "500 Internal Server Error" in found[2]
    shop.bc.set_faults()
    let_time_pass(60)
    drain()
    assert shop.shown(product) == 4
    assert rows("SELECT status, attempts, jsonb_array_length(history) FROM rm_webhook_log") == [
        ("completed", 2, 2)
    ]


def test_trashed_and_restored(woo: WooCommerceShop) -> None:
    product = woo.add_stocked("TRASH-1", in_bc=4)
    follow(woo, product)
    later(woo)

    woo.handle.trash_product(product)
    follow(woo, product)
    assert woo.active() == set()

    later(woo)
    woo.bc.set_stock({"TRASH-1": 6})
    woo.handle.restore_product(product)
    follow(woo, product)
    assert woo.active() == {product}
    assert woo.shown(product) == 6


def test_unassigned_from_the_channel_and_assigned_again(store: BigCommerceShop) -> None:
    product = store.add_stocked("CHANNEL-1", in_bc=4)
    follow(store, product)
    later(store)

    change(store, product, channels=[])
    follow(store, product)
    assert store.active() == set()

    later(store)
    change(store, product, channels=store.handle.channel_ids)
    follow(store, product)
    assert store.active() == {product}


def test_a_sale_that_undoes_our_last_write_is_seen_once_that_has_settled(store: BigCommerceShop) -> None:
    product = store.add_stocked("UNDONE-1", in_bc=5)
    follow(store, product)
    store.handle.sell(5, product_id=product)

    follow(store, product)  # the store shows what it did before our write: perhaps that has not landed
    assert store.item(product)["shown"] == 5

    later(store)
    drain()
    assert store.item(product)["shown"] == 0
    assert store.shown(product) == 0
    assert len(store.written()) == 1


def confirmed_lost() -> list[int]:
    """How many lost writes the syncs' confirming reads have found, read by read."""
    found = rows("SELECT (result ->> 'lost')::int FROM rm_queue WHERE kind = 'stock.settle' ORDER BY id")
    return [lost for (lost,) in found]


def test_a_sale_that_a_sync_took_for_a_write_in_flight_is_made_up_for_though_an_event_was_read_first(
    store: BigCommerceShop,
) -> None:
    product = store.add_stocked("UNDONE-2", in_bc=5, shown=4)
    sync(store.site.id)
    store.handle.sell(1, product_id=product)
    assert sync(store.site.id).pushed == 0  # the store shows what it did before our write
    later(store)
    happened(store.site, product)
    do_next(intake.KIND)
    assert (store.item(product)["shown"], store.shown(product)) == (4, 4)  # sold, and left to the next sync

    drain()

    assert confirmed_lost() == [1]
    assert store.shown(product) == 5


def test_a_sale_that_bc_has_heard_of_meanwhile_needs_no_other_sync(store: BigCommerceShop) -> None:
    product = store.add_stocked("UNDONE-3", in_bc=5, shown=4)
    sync(store.site.id)
    store.handle.sell(1, product_id=product)
    sync(store.site.id)
    later(store)
    store.bc.set_stock({"UNDONE-3": 4})
    happened(store.site, product)
    do_next(intake.KIND)

    drain()

    assert confirmed_lost() == [0]
    assert row("SELECT count(*) FROM rm_sync_runs") == (2,)
    assert store.shown(product) == 4
