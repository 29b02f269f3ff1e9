"""No PostgreSQL connection is held while a vendor is asked: a few of them carry many workers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from models import config
from models.database import configure, db, rows
from tests.fleet import eventually
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain_until_step, sync
from tests.places import run_of, wait_for_run
from tests.simulators.handles import SimulatorHandle
from workers.execute import execute
from workers.full_sync.requests import request_sync

SLOW_MS = 2_000


@pytest.fixture
def one_connection(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may have a single connection."""
    monkeypatch.setenv("DATABASE_POOL_SIZE", "1")
    config.settings.cache_clear()
    db.close_all()
    configure()


def answered(handle: SimulatorHandle) -> int:
    """How many calls have had their answer."""
    return len(handle.requests_seen())


def meanwhile(work: Callable[[], object], handle: SimulatorHandle) -> None:
    """Do `work` in a thread; use the one connection while the vendor keeps its first call waiting."""
    calls, done = handle.total_calls(), answered(handle)
    handle.set_latency(SLOW_MS)
    worker = threading.Thread(target=work)
    worker.start()
    eventually(lambda: handle.total_calls() > calls, seconds=20, every=0.01, what="a call to the vendor")

    (held,) = rows("SELECT count(*) FROM rm_queue WHERE status = 'processing'")
    sessions = rows(
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name = 'inventory-sync'"
    )

    assert answered(handle) == done, "the connection came free only with the vendor's answer"
    assert held == (1,)
    assert sessions == []  # there is one connection, and it was ours just now
    handle.set_latency(0)
    worker.join()


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("step", ["start", "push"])
def test_the_connection_is_free_while_bigcommerce_is_asked(store: BigCommerceShop, step: str) -> None:
    free_while_asked(store, step)


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("step", ["list", "confirm"])
def test_the_connection_is_free_while_woocommerce_is_asked(woo: WooCommerceShop, step: str) -> None:
    free_while_asked(woo, step)


def free_while_asked(shop: Shop, step: str) -> None:
    """Come to a step of a sync, and hold the shop's answer back."""
    shop.add_stocked("A-1", 5)
    gone = shop.add_stocked("B-2", 5)
    sync(shop.site.id)
    shop.delete(gone)  # something to confirm
    shop.bc.set_stock({"A-1": 6})  # and something to push
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, step)
    kind = "stock.push" if step == "push" else f"sync.{step}"

    meanwhile(lambda: do_next(kind), shop.handle)

    assert rows("SELECT status FROM rm_queue WHERE kind = %s AND run_id = %s", (kind, run_id)) == [
        ("completed",)
    ]


@pytest.mark.usefixtures("one_connection")
def test_the_connection_is_free_while_business_central_is_asked(woo: WooCommerceShop) -> None:
    woo.add_stocked("A-1", 5)
    request_sync(woo.site.id, requested_by="test")
    do_next("stock.refresh")

    meanwhile(lambda: do_next("stock.scan"), woo.bc)

    assert rows("SELECT status FROM rm_queue WHERE kind = 'stock.scan'") == [("completed",)]


@pytest.mark.usefixtures("one_connection")
def test_four_workers_with_one_connection_between_them_finish_a_sync(woo: WooCommerceShop) -> None:
    assert db._max_connections == 1
    for index in range(250):
        woo.bc.add_item(f"SKU{index:04d}", 4)
        woo.add(f"SKU{index:04d}", 1)
    woo.handle.set_latency(100)
    woo.bc.set_latency(100)
    run_id = request_sync(woo.site.id, requested_by="test").run_id
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            due = rows("SELECT id FROM rm_queue WHERE status = 'pending' AND available_at <= now()")
            if not any(execute(job_id) for (job_id,) in due):
                over.wait(0.05)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    try:
        wait_for_run(run_id, seconds=60)
    finally:
        over.set()
        for worker in workers:
            worker.join()

    assert (run_of(run_id).status, run_of(run_id).pushed) == ("completed", 250)
    assert rows("SELECT error FROM rm_queue WHERE error IS NOT NULL") == []
