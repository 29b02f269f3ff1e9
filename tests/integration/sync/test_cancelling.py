"""A cancelled run pushes nothing more, keeps its figures, and lets the run behind it begin."""

from __future__ import annotations

import threading

import pytest

from models.database import rows
from tests.fleet import eventually
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain, drain_until_step, sync
from tests.places import run_of
from workers.execute import execute
from workers.full_sync.progress import figures
from workers.full_sync.requests import cancel_run, request_sync


def ends_of_jobs(run_id: int) -> set[tuple[str, str | None]]:
    """(status, error) of a run's jobs that did not complete."""
    found = rows("SELECT status, error FROM rm_queue WHERE run_id = %s AND status <> 'completed'", (run_id,))
    return {(status, error) for status, error in found}


def test_a_queued_run_that_is_cancelled_asks_nobody_anything(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    run_id = request_sync(shop.site.id, requested_by="test").run_id

    run = cancel_run(run_id, requested_by="somebody")
    drain()

    assert (run.status, run.error) == ("cancelled", "cancelled by somebody")
    assert run_of(run_id).status == "cancelled"
    assert ends_of_jobs(run_id) == {("failed", "cancelled")}
    assert (shop.handle.total_calls(), shop.bc.total_calls()) == (0, 0)


@pytest.mark.parametrize("step", ["list", "confirm", "stock", "compare", "push", "finish"])
def test_a_run_that_is_cancelled_at_any_step_does_no_more(store: BigCommerceShop, step: str) -> None:
    store.add_stocked("A-1", 5)
    run_id = request_sync(store.site.id, requested_by="test").run_id
    if step == "stock":
        for kind in ("sync.start", "sync.list", "sync.confirm"):
            do_next(kind)
    drain_until_step(run_id, step)
    calls, written = store.handle.total_calls(), store.written()

    cancel_run(run_id, requested_by="somebody")
    drain()

    assert run_of(run_id).status == "cancelled"
    assert (store.handle.total_calls(), store.written()) == (calls, written)
    assert ends_of_jobs(run_id) <= {("failed", "cancelled")}
    assert rows("SELECT 1 FROM rm_pushes WHERE outcome IN ('planned', 'unsure')") == []


def test_a_cancelled_run_keeps_the_figures_of_what_it_did(store: BigCommerceShop) -> None:
    store.add_stocked("A-1", 5)
    run_id = request_sync(store.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")

    cancel_run(run_id, requested_by="somebody")

    shown = figures(run_of(run_id))
    assert (shown["pages_done"], shown["items_done"]) == (1, 1)
    assert (shown["pushed"], shown["to_push"], shown["failed"]) == (0, 1, {"cancelled": 1})
    assert shown["calls"] == store.handle.total_calls() + store.bc.total_calls()


@pytest.mark.parametrize("kind", ["sync.start", "sync.list", "sync.compare", "sync.finish"])
def test_what_a_worker_held_at_the_cancel_opens_nothing_more(
    store: BigCommerceShop, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job ends after the cancel, as when a worker was waiting for the shop's answer meanwhile."""
    store.add_stocked("A-1", 5)
    run_id = request_sync(store.site.id, requested_by="test").run_id
    drain_until_step(run_id, {"sync.start": "start"}.get(kind, kind.removeprefix("sync.")))
    written = store.written()
    cancel_at_the_end_of(kind, run_id, monkeypatch)

    do_next(kind)
    drain()

    assert run_of(run_id).status == "cancelled"
    assert store.written() == written
    assert ends_of_jobs(run_id) <= {("failed", "cancelled")}
    assert rows("SELECT last_synced_at FROM rm_sites WHERE id = %s", (store.site.id,)) == [(None,)]


def cancel_at_the_end_of(kind: str, run_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel between the work of the next job of this kind and its end."""
    from workers import kinds
    from workers.jobs import Done, Kind, Work

    true_handler = kinds.KINDS[kind].handler

    def handler(work: Work) -> Done:
        done = true_handler(work)
        cancel_run(run_id, requested_by="somebody")
        return done

    monkeypatch.setitem(kinds.KINDS, kind, Kind(kind, handler))


def test_rows_that_are_being_sent_at_the_cancel_are_counted_and_the_next_batch_is_not_sent(
    shop: Shop,
) -> None:
    """The call under way can't be taken back: what it wrote is told. Nothing is sent after it."""
    first = shop.add_stocked("A-1", 5)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    shop.handle.set_latency(700)
    (job_id,) = next(iter(rows("SELECT id FROM rm_queue WHERE run_id = %s AND step = 'push'", (run_id,))))
    pusher = threading.Thread(target=execute, args=(job_id,))
    pusher.start()
    eventually(
        lambda: bool(rows("SELECT 1 FROM rm_pushes WHERE outcome = 'sending'")), seconds=10, every=0.02
    )

    cancel_run(run_id, requested_by="somebody")
    pusher.join()
    drain()

    assert run_of(run_id).status == "cancelled"
    assert shop.written() == [("A-1", 5)]
    assert shop.item(first)["shown"] == 5
    assert (run_of(run_id).pushed, run_of(run_id).failed) == (1, {})


def test_a_write_without_an_answer_is_not_looked_into_for_a_run_that_was_cancelled_meanwhile(
    woo: WooCommerceShop,
) -> None:
    """Its row stays unsure, so that the next sync reads it again before anything is written over it."""
    product = woo.add_stocked("A-1", 5)
    run_id = request_sync(woo.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    woo.handle.set_latency(700)
    woo.handle.set_faults(rules=[{"route": woo.write_route, "kind": "apply_then_reset"}])
    pusher = threading.Thread(target=do_next, args=("stock.push",))
    pusher.start()
    eventually(
        lambda: bool(rows("SELECT 1 FROM rm_pushes WHERE outcome = 'sending'")), seconds=10, every=0.02
    )
    cancel_run(run_id, requested_by="somebody")
    pusher.join()
    woo.handle.set_latency(0)
    calls = woo.handle.total_calls()

    drain()

    assert ends_of_jobs(run_id) == {("failed", "cancelled")}
    assert woo.handle.total_calls() == calls
    assert (woo.item(product)["unsure"], run_of(run_id).failed) == (True, {"cancelled": 1})

    assert sync(woo.site.id).status == "completed"
    assert (woo.item(product)["unsure"], woo.item(product)["shown"]) == (False, 5)
    assert woo.written() == [("A-1", 5)]


def test_the_run_behind_a_cancelled_one_begins_with_a_fresh_read(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    first = request_sync(shop.site.id, requested_by="first")
    drain_until_step(first.run_id, "push")
    shop.bc.set_stock({"A-1": 7})
    second = request_sync(shop.site.id, requested_by="second")

    cancel_run(first.run_id, requested_by="somebody")
    drain()

    assert run_of(second.run_id).status == "completed"
    assert shop.written() == [("A-1", 7)]


def test_cancelling_the_run_behind_leaves_the_one_ahead_alone(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    first = request_sync(shop.site.id, requested_by="first")
    drain_until_step(first.run_id, "push")
    second = request_sync(shop.site.id, requested_by="second")

    cancel_run(second.run_id, requested_by="somebody")
    drain()

    assert [run_of(asked.run_id).status for asked in (first, second)] == ["completed", "cancelled"]
    assert shop.written() == [("A-1", 5)]


def test_one_site_that_cancels_does_not_stop_the_read_that_another_waits_for(
    store: BigCommerceShop, woo: Shop
) -> None:
    store.add_stocked("A-1", 5)
    woo.add("A-1", 1)
    first = request_sync(store.site.id, requested_by="first")
    second = request_sync(woo.site.id, requested_by="second")

    cancel_run(first.run_id, requested_by="somebody")
    drain()

    assert run_of(second.run_id).status == "completed"
    assert (store.written(), woo.written()) == ([], [("A-1", 5)])


def test_a_sync_after_a_cancelled_one_sets_everything_right(shop: Shop) -> None:
    shop.add_stocked("A-1", 5)
    run_id = request_sync(shop.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    cancel_run(run_id, requested_by="somebody")

    run = sync(shop.site.id)

    assert (run.status, run.pushed, run.failed) == ("completed", 1, {})
    assert shop.handle.compare().correct
