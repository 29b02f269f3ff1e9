"""Business Central changes its mind while the old number is on its way to the shop."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from models.database import db, execute, transaction
from tests.fleet import eventually
from tests.integration.ledger.helpers import add, at_once, somebody_waits
from tests.integration.sync.shops import Shop
from tests.integration.sync.working import do_next, drain, drain_until_step, sync
from tests.places import run_of
from workers import clock
from workers.decisions import decide
from workers.full_sync.requests import request_sync
from workers.jobs import WEBHOOKS, NewJob
from workers.webhooks import intake


@pytest.mark.parametrize(
    ("before", "meanwhile"), [(5, 4), (4, 5), (0, 4)], ids=["lower", "higher", "sold out again"]
)
def test_what_bc_takes_back_while_it_is_written_is_written_back(
    shop: Shop, before: int, meanwhile: int
) -> None:
    """The event saw the shop show what BC holds again, and left it alone; then the write came through."""
    product = shop.add_stocked("A-1", before, shown=before)
    sync(shop.site.id)
    shop.bc.set_stock({"A-1": meanwhile})
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    gate = f"write to {shop.handle.name}"
    shop.handle.hold(shop.write_route, gate, early=True)
    writer = threading.Thread(target=_push, args=(run_id,))
    writer.start()
    eventually(lambda: shop.handle.held(gate) == 1, seconds=20, what="a write that is under way")

    shop.bc.set_stock({"A-1": before})
    _event_long_after_bc_was_read(shop, product)
    shop.handle.let_go(gate)
    writer.join()
    drain()

    run = run_of(run_id)
    assert (run.status, run.error, run.failed) == ("completed", None, {})
    assert (shop.written(), shop.shown(product)) == ([("A-1", meanwhile), ("A-1", before)], before)


def test_what_a_push_agreed_on_while_its_row_was_judged_stands(shop: Shop) -> None:
    """Else nobody would know that the shop was sent the old number, and that the new one is owed to it."""
    product = shop.add_stocked("A-1", 5, shown=5)
    sync(shop.site.id)
    long_ago = clock.now() - timedelta(hours=1)
    execute("UPDATE rm_items SET wanted = 4, bc_quantity = 4")  # as decided before the push began
    sent = threading.Event()

    def accepted() -> None:
        with transaction():
            execute("UPDATE rm_items SET shown = 4, sent = 4, agreed = 4")
            sent.set()
            eventually(somebody_waits, seconds=20, every=0.02, what="a decision that waits for the push")

    def decided() -> None:
        sent.wait(20)
        decide(shop.site, since=long_ago, stock_is_partial=False)

    assert at_once(accepted, decided) == [None, None]

    item = shop.item(product)
    assert (item["shown"], item["wanted"], item["agreed"]) == (4, 5, 4)


def _push(run_id: int) -> None:
    try:
        do_next("stock.push", run_id)
    finally:
        db.close()


def _event_long_after_bc_was_read(shop: Shop, product: int) -> None:
    for table, columns in {
        "rm_stock": ("read_started_at", "read_ended_at"),
        "rm_items": ("stock_read_at",),
    }.items():
        moved = ", ".join(f"{column} = {column} - interval '2 min'" for column in columns)
        execute(f"UPDATE {table} SET {moved}")
    add(NewJob(kind=intake.KIND, queue=WEBHOOKS, payload={"product": product}, site_id=shop.site.id))
    do_next(intake.KIND)
