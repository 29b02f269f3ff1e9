"""No PostgreSQL connection is held while a vendor is asked: a few of them carry many workers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from models import config, database
from models.database import configure, db, rows
from tests.fleet import eventually
from tests.integration.sync.shops import Shop
from tests.integration.sync.working import do_next, drain_until_step
from tests.places import run_of
from tests.simulators.handles import SimulatorHandle
from workers.execute import execute
from workers.full_sync.requests import request_sync

SLOW_MS = 2_000


@pytest.fixture
def one_connection(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop with one product, in a process that has a single connection."""
    shop.add_stocked("A-1", 5)
    monkeypatch.setenv("DATABASE_POOL_SIZE", "1")
    config.settings.cache_clear()
    db.close_all()
    configure()
    return shop


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


@pytest.mark.parametrize("step", ["start", "list", "push"])
def test_the_connection_is_free_while_the_shop_is_asked(one_connection: Shop, step: str) -> None:
    run_id = request_sync(one_connection.site.id, requested_by="test").run_id
    drain_until_step(run_id, step)
    kind = "stock.push" if step == "push" else f"sync.{step}"

    meanwhile(lambda: do_next(kind), one_connection.handle)

    assert rows("SELECT status FROM rm_queue WHERE kind = %s", (kind,))[0] == ("completed",)


def test_the_connection_is_free_while_business_central_is_asked(one_connection: Shop) -> None:
    request_sync(one_connection.site.id, requested_by="test")
    do_next("stock.refresh")

    meanwhile(lambda: do_next("stock.scan"), one_connection.bc)

    assert rows("SELECT status FROM rm_queue WHERE kind = 'stock.scan'") == [("completed",)]


def test_four_workers_with_one_connection_between_them_finish_a_sync(
    one_connection: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.db._max_connections == 1
    for index in range(250):
        one_connection.bc.add_item(f"SKU{index:04d}", 4)
        one_connection.add(f"SKU{index:04d}", 1)
    one_connection.handle.set_latency(100)
    one_connection.bc.set_latency(100)
    run_id = request_sync(one_connection.site.id, requested_by="test").run_id
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
        eventually(lambda: run_of(run_id).status != "queued", seconds=30)
        eventually(lambda: run_of(run_id).status != "running", seconds=60, what="the end of the run")
    finally:
        over.set()
        for worker in workers:
            worker.join()

    assert (run_of(run_id).status, run_of(run_id).pushed) == ("completed", 251)
    assert rows("SELECT error FROM rm_queue WHERE error IS NOT NULL") == []
