"""The guard: too many SKUs that fall to zero at once wait for a person; all else goes on."""

from __future__ import annotations

from typing import Any

import pytest

from models import setting
from models.database import execute, row, rows
from models.sync_run import SyncRun
from tests.integration.sync.shops import Shop
from tests.integration.sync.working import drain, let_time_pass, sync
from tests.integration.webhooks.test_processing import happened, show
from tests.places import run_of
from workers.errors import Conflict
from workers.full_sync.release import release_run, would_fall

STOCKED = 40


def stocked(shop: Shop, number: int = STOCKED) -> dict[str, int]:
    """So many products, all in stock at both ends, synced a while ago; gives SKU -> product id."""
    found = {f"SKU-{n:03}": shop.add_stocked(f"SKU-{n:03}", in_bc=5) for n in range(number)}
    assert sync(shop.site.id).status == "completed"
    a_day_passes()
    return found


def a_day_passes() -> None:
    """Nothing of before counts for the guard's hour, or for writes that settle."""
    let_time_pass(86_400)
    execute("UPDATE rm_zeroings SET at = at - interval '1 day'")


def sell_out(shop: Shop, products: dict[str, int], number: int) -> list[str]:
    """BC has nothing left of the first so many."""
    gone = list(products)[:number]
    shop.bc.set_stock(dict.fromkeys(gone, 0))
    return gone


def release(run: SyncRun) -> SyncRun:
    """Release a run and see it to its end."""
    release_run(run.id, requested_by="test")
    drain(lambda: run_of(run.id).status not in ("queued", "running"))
    return run_of(run.id)


def shown(shop: Shop, products: dict[str, int]) -> dict[str, int]:
    """What the shop shows, by SKU."""
    return {sku: shop.shown(product) for sku, product in products.items()}


def test_a_few_that_sell_out_are_an_ordinary_day(shop: Shop) -> None:
    products = stocked(shop)
    gone = sell_out(shop, products, 8)

    run = sync(shop.site.id)

    assert (run.status, run.held, run.pushed) == ("completed", 0, 8)
    assert {sku for sku, quantity in shown(shop, products).items() if quantity == 0} == set(gone)


def test_too_many_are_set_aside_and_the_rest_is_pushed(shop: Shop) -> None:
    products = stocked(shop)
    gone = sell_out(shop, products, 15)
    shop.bc.set_stock({"SKU-030": 77})

    run = sync(shop.site.id)

    assert (run.status, run.held, run.pushed, run.to_push) == ("held", 15, 1, 1)
    assert run.error is not None
    assert run.error.startswith("15 of 40 SKUs in stock would fall to zero within an hour")
    now = shown(shop, products)
    assert [now[sku] for sku in gone] == [5] * 15
    assert now["SKU-030"] == 77
    assert would_fall(run.id, 2) == (15, [("SKU-000", 5), ("SKU-001", 5)])


def test_a_large_share_of_a_handful_is_no_reason_to_hold(shop: Shop) -> None:
    products = stocked(shop, 12)
    sell_out(shop, products, 10)

    assert sync(shop.site.id).status == "completed"


def test_a_clearance_sale_that_is_released_goes_through(shop: Shop) -> None:
    products = stocked(shop)
    gone = sell_out(shop, products, 30)
    held = sync(shop.site.id)
    shop.bc.set_stock({"SKU-001": 3})  # meanwhile three came back

    run = release(held)

    assert (run.status, run.error, run.held) == ("completed", None, 0)
    now = shown(shop, products)
    assert now["SKU-001"] == 3
    assert [now[sku] for sku in gone if sku != "SKU-001"] == [0] * 29
    assert run.released_by == "test"
    # What a person let go does not count against what sells out the ordinary way.
    shop.bc.set_stock({"SKU-035": 0})
    assert sync(shop.site.id).status == "completed"


def test_release_passes_only_what_was_listed(shop: Shop) -> None:
    products = stocked(shop)
    sell_out(shop, products, 30)
    held = sync(shop.site.id)
    shop.bc.set_stock({"SKU-039": 0})

    release(held)

    assert shown(shop, products)["SKU-039"] == 5


def test_the_next_run_supersedes_a_held_one(shop: Shop) -> None:
    products = stocked(shop)
    sell_out(shop, products, 30)
    first = sync(shop.site.id)

    second = sync(shop.site.id)

    assert (second.status, second.held) == ("held", 30)
    assert run_of(first.id).superseded_by == second.id
    with pytest.raises(Conflict, match=f"run {second.id}"):
        release_run(first.id, requested_by="test")
    shop.bc.set_stock({f"SKU-{n:03}": 5 for n in range(30)})
    assert sync(shop.site.id).status == "completed"
    assert run_of(second.id).superseded_by is not None


def test_many_small_falls_within_an_hour_add_up_over_runs(shop: Shop) -> None:
    products = stocked(shop)
    for first in (0, 4):
        shop.bc.set_stock({f"SKU-{n:03}": 0 for n in range(first, first + 4)})
        assert sync(shop.site.id).status == "completed"
        let_time_pass(120)
    shop.bc.set_stock({f"SKU-{n:03}": 0 for n in range(8, 12)})

    held = sync(shop.site.id)
    assert (held.status, held.held) == ("held", 4)
    told = "12 of 40 SKUs in stock would fall to zero within an hour, 8 of them have already:"
    assert (held.error or "").startswith(told)
    a_day_passes()
    assert sync(shop.site.id).status == "completed"
    assert sum(1 for quantity in shown(shop, products).values() if quantity == 0) == 12


def test_an_answer_of_bc_with_half_its_items_is_not_trusted_with_zeros(shop: Shop) -> None:
    products = stocked(shop)
    shop.bc.set_stock({"SKU-039": 0})
    for n in range(20):
        shop.bc.remove_item(f"SKU-{n:03}")

    run = sync(shop.site.id)

    assert (run.status, run.held) == ("held", 1)
    assert run.error == "Business Central answered with 20 items, last time with 40: under 80% of them"
    assert set(shown(shop, products).values()) == {5}
    assert release(run).status == "completed"
    assert shown(shop, products)["SKU-039"] == 0
    assert sync(shop.site.id).status == "completed"  # a person has looked: 20 is what BC has


def test_an_empty_answer_of_bc_changes_nothing_and_is_held(shop: Shop) -> None:
    products = stocked(shop)
    for sku in products:
        shop.bc.remove_item(sku)

    run = sync(shop.site.id)

    assert (run.status, run.held, run.pushed) == ("held", 0, 0)
    assert set(shown(shop, products).values()) == {5}


def test_zeros_everywhere_are_held(shop: Shop) -> None:
    products = stocked(shop)
    sell_out(shop, products, STOCKED)

    run = sync(shop.site.id)

    assert (run.status, run.held, run.pushed) == ("held", STOCKED, 0)
    assert set(shown(shop, products).values()) == {5}


def test_the_thresholds_are_settings(shop: Shop) -> None:
    products = stocked(shop)
    setting.change("guard_share_percent", 50)
    sell_out(shop, products, 18)
    assert sync(shop.site.id).status == "completed"
    a_day_passes()
    setting.change("guard_least_skus", 0)
    setting.change("guard_share_percent", 1)
    shop.bc.set_stock({"SKU-030": 0})
    assert sync(shop.site.id).status == "held"


def test_webhooks_are_guarded_too_and_a_run_shows_what_they_held(shop: Shop) -> None:
    products = stocked(shop)
    gone = sell_out(shop, products, 30)

    for sku in gone:
        show(shop, products[sku], 4)
    happened(shop.site, *(products[sku] for sku in gone))
    drain()

    assert 0 not in shown(shop, products).values()
    found = row("SELECT status, held, requested_by FROM rm_sync_runs ORDER BY id DESC LIMIT 1")
    assert found == ("held", 30, "the guard, for what webhooks asked for")
    assert rows("SELECT count(*) FROM rm_sync_runs WHERE status = 'held'") == [(1,)]


def test_what_is_not_held_is_not_released(shop: Shop) -> None:
    stocked(shop, 2)
    run = sync(shop.site.id)

    with pytest.raises(Conflict, match="completed, not held"):
        release_run(run.id, requested_by="test")


def figures(run: SyncRun) -> dict[str, Any]:
    """Those that must add up."""
    return {"to_push": run.to_push, "pushed": run.pushed, "unchanged": run.unchanged, "held": run.held}


def test_a_held_runs_figures_add_up_and_a_released_ones_too(shop: Shop) -> None:
    products = stocked(shop)
    sell_out(shop, products, 15)
    held = sync(shop.site.id)
    assert figures(held) == {"to_push": 0, "pushed": 0, "unchanged": 25, "held": 15}

    released = release(held)

    assert figures(released) == {"to_push": 15, "pushed": 15, "unchanged": 25, "held": 0}
    assert released.items_done == STOCKED
