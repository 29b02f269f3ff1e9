"""A site of a night that is listed when its turn comes: long after Business Central was read for all."""

from __future__ import annotations

from models.database import execute, rows
from tests.integration.schedule.nights import check_at, utc
from tests.integration.sync.shops import BigCommerceShop, WooCommerceShop
from tests.integration.sync.working import do_next, drain, let_time_pass
from tests.places import run_of


def test_a_site_that_is_listed_long_after_the_read_gets_the_right_stock_of_that_one_read(
    store: BigCommerceShop,
    woo: WooCommerceShop,
) -> None:
    store.add_stocked("A-1", 5)
    woo.add("a-1", 1)
    execute("UPDATE rm_sites SET full_sync_since = '2000-01-01'")
    check_at([utc("2026-06-01 20:00"), utc("2026-06-02 02:00")])
    execute(
        "UPDATE rm_queue SET available_at = now() + interval '10 minutes' WHERE kind = 'sync.start' AND site_id = %s",
        (woo.site.id,),
    )
    do_next("stock.refresh")
    drain(lambda: rows("SELECT 1 FROM rm_sync_runs WHERE status = 'completed'") != [])
    (late,) = rows("SELECT id, status, step FROM rm_sync_runs WHERE site_id = %s", (woo.site.id,))
    assert late[1:] == ("running", "start")

    let_time_pass(600)
    drain()

    assert run_of(late[0]).status == "completed"
    assert (store.written(), woo.written()) == ([("A-1", 5)], [("a-1", 5)])
    assert sum(number for route, number in store.bc.calls().items() if route.endswith("/items")) == 1
