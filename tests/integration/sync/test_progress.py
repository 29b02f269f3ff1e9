"""A run tells how far it is: figures move while it works, add up at its end, and count nothing twice."""

from __future__ import annotations

import threading
from typing import Any

from models.database import execute as execute_sql
from models.database import row, rows
from models.sync_run import SyncRun
from tests.fleet import eventually
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain, drain_until_step, sync
from tests.places import run_of
from workers.execute import execute
from workers.full_sync.progress import figures
from workers.full_sync.requests import request_sync


def stocked(shop: Shop, number: int) -> list[int]:
    """Products that show 1 and should show 4, in order of id."""
    skus = [f"SKU{index:04d}" for index in range(number)]
    for sku in skus:
        shop.bc.add_item(sku, 4)
    return list(shop.add_many(skus, 1).values())


def assert_adds_up(run: SyncRun) -> None:
    """What a run that ended well has done is all that there was to do."""
    assert run.pages_done == run.pages_total
    assert run.items_done == run.items_total
    assert run.pushed + sum(run.failed.values()) == run.to_push
    active = row("SELECT count(*) FROM rm_items WHERE site_id = %s AND active", (run.site_id,))
    rows_of_the_site = run.to_push + run.unchanged + sum(run.skipped.values())
    assert active == (rows_of_the_site - run.skipped.get("other_channel", 0),)


def test_the_figures_of_a_whole_sync_add_up_and_calls_are_what_the_vendors_counted(shop: Shop) -> None:
    stocked(shop, 30)
    shop.add_stocked("RIGHT", 5, shown=5)
    shop.add_stocked("HUGE", 3_000_000_000)
    shop.add("NOPE", 2)

    run = sync(shop.site.id)

    assert run.status == "completed"
    assert_adds_up(run)
    assert (run.items_total, run.to_push, run.pushed, run.unchanged) == (33, 31, 30, 1)
    assert (run.failed, run.skipped) == ({"quantity_out_of_range": 1}, {"unknown": 1})
    assert run.calls == shop.handle.total_calls() + shop.bc.total_calls()
    assert figures(run) == figures(run_of(run.id))


def test_pages_and_products_move_while_the_shop_is_listed(woo: WooCommerceShop) -> None:
    stocked(woo, 250)
    run_id = request_sync(woo.site.id, requested_by="test").run_id
    drain_until_step(run_id, "list")
    seen = []

    for _ in range(3):
        do_next("sync.list")
        shown = figures(run_of(run_id))
        seen.append((shown["pages_done"], shown["pages_total"], shown["items_done"], shown["items_total"]))

    assert seen == [(1, 3, 50, 250), (2, 3, 150, 250), (3, 3, 250, 250)]


def test_the_figures_of_the_push_move_within_one_chunk(woo: WooCommerceShop) -> None:
    """One job carries five calls of 100 rows: each shows as soon as it is answered."""
    stocked(woo, 250)
    run_id = request_sync(woo.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    seen: list[tuple[int, int]] = []
    woo.handle.set_latency(400)
    pusher = threading.Thread(target=do_next, args=("stock.push",))
    pusher.start()

    def look() -> bool:
        shown = figures(run_of(run_id))
        seen.append((shown["pushed"], shown["to_push"]))
        return shown["pushed"] == 250

    eventually(look, seconds=30, every=0.02, what="the end of the push")
    pusher.join()

    assert {to_push for _, to_push in seen} == {250}
    pushed = [number for number, _ in seen]
    assert pushed == sorted(pushed)
    assert set(pushed) == {0, 100, 200, 250}


def test_a_chunk_that_stopped_half_way_counts_no_row_twice(woo: WooCommerceShop) -> None:
    stocked(woo, 250)
    run_id = request_sync(woo.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    woo.handle.set_faults(rules=[{"route": woo.write_route, "kind": "500", "nth": 2}])
    do_next("stock.push")
    half = figures(run_of(run_id))

    drain()

    run = run_of(run_id)
    assert (half["pushed"], half["to_push"], half["failed"]) == (100, 250, {})
    assert (run.status, run.pushed, run.failed) == ("completed", 250, {})
    assert_adds_up(run)
    assert len(woo.written()) == 250  # what had been written was not written again
    assert run.calls == woo.handle.total_calls() + woo.bc.total_calls()


def test_a_write_that_was_applied_although_no_answer_came_counts_once_and_is_not_repeated(
    woo: WooCommerceShop,
) -> None:
    stocked(woo, 20)
    run_id = request_sync(woo.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    woo.handle.set_faults(rules=[{"route": woo.write_route, "kind": "apply_then_reset"}])

    drain()

    run = run_of(run_id)
    assert (run.status, run.pushed, run.failed) == ("completed", 20, {})
    assert_adds_up(run)
    assert len(woo.written()) == 20
    assert rows("SELECT 1 FROM rm_items WHERE unsure") == []


def test_rows_that_need_no_write_any_more_leave_what_is_to_be_pushed(shop: Shop) -> None:
    """While the push waited, a webhook's job wrote one row and saw another leave the shop."""
    written, left, _ = stocked(shop, 3)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    execute_sql("UPDATE rm_items SET shown = 4 WHERE product_id = %s", (written,))
    execute_sql("UPDATE rm_items SET active = false WHERE product_id = %s", (left,))

    drain()

    run = run_of(run_id)
    assert (run.status, run.pushed, run.to_push, run.unchanged) == ("completed", 1, 1, 2)
    assert [sku for sku, _ in shop.written()] == ["SKU0002"]


def test_a_catalogue_that_shrank_by_a_page_is_done_at_the_end(store: BigCommerceShop) -> None:
    products = stocked(store, 252)
    run_id = request_sync(store.site.id, requested_by="test").run_id
    drain_until_step(run_id, "list")
    assert figures(run_of(run_id))["pages_total"] == 2
    for product in products[:5]:
        store.delete(product)

    drain()

    run = run_of(run_id)
    assert run.status == "completed"
    assert (run.pages_done, run.items_done) == (1, 247)
    assert_adds_up(run)


def test_a_catalogue_that_grew_is_done_at_the_end(shop: Shop) -> None:
    stocked(shop, 3)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "list")
    shop.add("LATE-1")
    shop.add("LATE-2")

    drain()

    run = run_of(run_id)
    assert (run.status, run.items_done) == ("completed", 5)
    assert_adds_up(run)


def test_the_end_tells_the_same_as_the_last_look_before_it(shop: Shop) -> None:
    stocked(shop, 5)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "finish")
    before = figures(run_of(run_id))

    drain()

    after = figures(run_of(run_id))
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"status", "finished_at", "fewest_calls"} or changed == {"status", "finished_at"}


def test_two_workers_with_the_same_job_do_it_once(shop: Shop) -> None:
    stocked(shop, 5)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    (job_id,) = rows("SELECT id FROM rm_queue WHERE kind = 'stock.push'")[0]
    results: list[Any] = []
    workers = [threading.Thread(target=lambda: results.append(execute(job_id))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    drain()

    assert sorted(results) == [False, False, False, True]
    assert run_of(run_id).pushed == 5
    assert len(shop.written()) == 5
