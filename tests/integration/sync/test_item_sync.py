"""Sync this item now: both ends are read again, and the one item is put right, upwards too."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from models.database import execute, row, rows, transaction
from tests.integration.sync.shops import BigCommerceShop, Shop
from tests.integration.sync.test_guard import a_day_passes, sell_out, shown, stocked
from tests.integration.sync.working import drain, let_time_pass, sync
from tests.integration.webhooks.test_processing import happened, sell, show
from workers import execute as worker
from workers import items, leases
from workers.errors import Conflict, UnknownRecord
from workers.item_sync import request_item_sync


def ask(shop: Shop, product_id: int, variant_id: int = 0) -> int:
    """A person asks for one item; gives the job's id, which nobody has begun."""
    return request_item_sync(shop.item(product_id, variant_id)["id"], requested_by="user anna")


def sync_item(shop: Shop, product_id: int) -> dict[str, Any]:
    """A person asks for one item, and it is done; gives our row of it."""
    job_id = ask(shop, product_id)
    drain()
    assert row("SELECT status, error FROM rm_queue WHERE id = %s", (job_id,)) == ("completed", None)
    return shop.item(product_id)


def later(shop: Shop) -> None:
    """Long enough for writes to have settled."""
    let_time_pass(120)
    execute("UPDATE rm_webhook_log SET received_at = received_at - interval '120 s'")


def test_what_has_sold_is_raised_again_where_a_person_asks_for_it(shop: Shop) -> None:
    product, other = shop.add_stocked("SOLD-1", in_bc=5), shop.add_stocked("SOLD-2", in_bc=5)
    sync(shop.site.id)
    later(shop)
    for one in (product, other):
        sell(shop, one, 2)
        happened(shop.site, one)
        drain()
    assert shop.item(product)["drift_since"] is not None
    later(shop)

    item = sync_item(shop, product)

    assert (shop.shown(product), item["shown"], item["drift_since"]) == (5, 5, None)
    assert shop.shown(other) == 3, "nobody asked for this one"


def test_a_sale_that_looks_like_our_own_write_in_flight_is_made_up_for_once_that_has_settled(
    store: BigCommerceShop,
) -> None:
    product = store.add_stocked("FLYING-1", in_bc=5, shown=4)
    sync(store.site.id)
    sell(store, product, 1)  # as before our write, which BigCommerce may show a minute late
    sync_item(store, product)
    assert store.shown(product) == 4

    later(store)
    drain()

    assert store.shown(product) == 5
    assert row("SELECT count(*) FROM rm_queue WHERE kind = 'item.sync'") == (2,)


def test_business_central_is_asked_now_however_lately_it_was_read(shop: Shop) -> None:
    product = shop.add_stocked("FRESH-1", in_bc=5)
    sync(shop.site.id)
    shop.bc.set_stock({"FRESH-1": 8})

    sync_item(shop, product)

    assert shop.shown(product) == 8


def test_one_item_costs_a_handful_of_calls(shop: Shop) -> None:
    product = shop.add_stocked("CALLS-1", in_bc=5)
    sync(shop.site.id)
    later(shop)
    show(shop, product, 2)
    shop.handle.reset()
    shop.bc.reset()

    sync_item(shop, product)

    assert shop.bc.total_calls() == 1
    assert shop.handle.total_calls() <= 4  # BigCommerce: the product, its stock, the locations, the write


def test_what_is_right_is_not_written(shop: Shop) -> None:
    product = shop.add_stocked("RIGHT-1", in_bc=5)
    sync(shop.site.id)
    later(shop)
    written = shop.written()

    sync_item(shop, product)

    assert shop.written() == written


def test_a_corrected_sku_is_known_at_once_and_a_deleted_product_is_gone(shop: Shop) -> None:
    product, doomed = shop.add_stocked("TYPO-1", in_bc=5), shop.add_stocked("DOOMED-1", in_bc=5)
    shop.bc.remove_item("TYPO-1")
    sync(shop.site.id)
    assert shop.item(product)["skip_reason"] == "unknown"
    shop.bc.add_item("TYPO-1", 7)
    shop.delete(doomed)
    later(shop)

    sync_item(shop, product)
    sync_item(shop, doomed)

    assert shop.shown(product) == 7
    assert shop.item(doomed)["active"] is False


def test_the_guard_holds_it_like_any_other_and_a_run_shows_it_to_a_person(shop: Shop) -> None:
    products = stocked(shop)
    sell_out(shop, products, 30)
    held = sync(shop.site.id)
    assert held.status == "held"
    a_day_passes()
    execute("UPDATE rm_sync_runs SET superseded_by = id WHERE id = %s", (held.id,))
    execute(
        "INSERT INTO rm_zeroings (site_id, item_id) SELECT site_id, id FROM rm_items WHERE site_id = %s LIMIT 20",
        (shop.site.id,),
    )

    job_id = ask(shop, products["SKU-029"])
    drain()

    assert shown(shop, products)["SKU-029"] == 5
    assert rows("SELECT outcome, reason FROM rm_pushes WHERE job_id = %s", (job_id,)) == [
        ("held", "falls_to_zero")
    ]
    found = row("SELECT status, requested_by FROM rm_sync_runs ORDER BY id DESC LIMIT 1")
    assert found == ("held", "the guard, for what a person asked for")
    assert items.get(shop.item(products["SKU-029"])["id"]).held_run is not None


def test_its_write_waits_for_whoever_writes_to_the_store(shop: Shop) -> None:
    product = shop.add_stocked("LEASE-1", in_bc=5)
    sync(shop.site.id)
    later(shop)
    show(shop, product, 2)
    with transaction():
        assert leases.take_store(shop.site.store_key, 999_999, uuid.uuid4())

    asked = ask(shop, product)
    drain(lambda: row("SELECT status FROM rm_queue WHERE id = %s", (asked,)) == ("completed",))

    found = row("SELECT id FROM rm_queue WHERE kind = 'stock.push' AND status = 'pending'")
    assert found is not None
    assert not worker.execute(found[0])
    assert shop.shown(product) == 2
    execute("DELETE FROM rm_store_leases")
    drain()
    assert shop.shown(product) == 5


def test_asked_for_twice_while_it_waits_it_is_done_once(shop: Shop) -> None:
    product = shop.add_stocked("TWICE-1", in_bc=5)
    sync(shop.site.id)

    assert ask(shop, product) == ask(shop, product)
    drain()

    again = ask(shop, product)
    assert row("SELECT status FROM rm_queue WHERE id = %s", (again,)) == ("pending",)
    found = items.last_asked(shop.item(product)["id"])
    assert found is not None
    assert (found.job_id, found.status) == (again, "pending")


def test_a_paused_site_and_an_unknown_item_are_refused_and_nothing_waits(shop: Shop) -> None:
    product = shop.add_stocked("PAUSED-1", in_bc=5)
    sync(shop.site.id)
    jobs = row("SELECT count(*) FROM rm_queue")
    execute("UPDATE rm_sites SET active = false")

    with pytest.raises(Conflict, match="is paused: make it active first"):
        ask(shop, product)
    with pytest.raises(UnknownRecord):
        request_item_sync(999_999, requested_by="user anna")

    assert row("SELECT count(*) FROM rm_queue") == jobs


def test_its_history_says_what_each_write_was_for(shop: Shop) -> None:
    product, other = shop.add_stocked("PAST-1", in_bc=5), shop.add_stocked("PAST-2", in_bc=5)
    run = sync(shop.site.id)
    later(shop)
    shop.bc.set_stock({"PAST-1": 3, "PAST-2": 3})
    show(shop, product, 9)
    show(shop, other, 9)
    deliveries = happened(shop.site, other, product)  # one job takes the other along
    drain()
    later(shop)
    show(shop, product, 7)
    asked = ask(shop, product)
    drain()

    told = items.history(items.get(shop.item(product)["id"]))
    assert [
        (write.cause, write.cause_id, write.outcome, write.wanted, write.shown_before) for write in told
    ] == [
        ("person", asked, "pushed", 3, 7),
        ("webhook", deliveries[1], "pushed", 3, 9),
        ("run", run.id, "pushed", 5, 0),
    ]
    assert [write.asked_by for write in told] == ["user anna", "", "test"]


def test_what_was_refused_before_is_forgotten_once_somebody_has_put_it_right_in_the_shop(shop: Shop) -> None:
    product = shop.add_stocked("REFUSED-1", in_bc=5)
    sync(shop.site.id)
    later(shop)
    execute("UPDATE rm_items SET failure = 'not_found'")

    item = sync_item(shop, product)

    assert item["failure"] is None
    execute("UPDATE rm_items SET failure = 'not_found'")
    happened(shop.site, product)
    drain()
    assert shop.item(product)["failure"] is None
