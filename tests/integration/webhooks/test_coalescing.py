"""Many events of one product become few reads of it, and the last change is always read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from models.database import execute, row, rows, transaction
from models.site import BIGCOMMERCE, WOOCOMMERCE, Site
from tests.deliveries import STORE_HASH, jobs, logged, site
from tests.fleet import eventually
from tests.integration.sync.working import let_time_pass
from workers import ledger, rescue
from workers.jobs import Claim, Done, Work
from workers.webhooks import deliveries, intake, outcomes
from workers.webhooks.events import Event
from workers.webhooks.intake import WINDOW_SECONDS, Delivery
from workers.webhooks.proofs import Verdict
from workers.webhooks.site_keys import SiteKeys

PRODUCT = 205


@pytest.fixture
def to(database: str) -> Site:
    return site(BIGCOMMERCE)


def deliver(to: Site, product_id: int = PRODUCT, key: str | None = None) -> str:
    """One event is received; gives `received` or `duplicate`."""
    keys = SiteKeys(to.id, to.platform, True, STORE_HASH, ("signature",), (), None)
    event = Event("store/product/updated", f"product {product_id}", product_id, key)
    return intake.accept(keys, event, Verdict.VERIFIED, Delivery({}, b"{}", "test"))[1]


def pending() -> list[int]:
    return [job_id for (job_id,) in rows("SELECT id FROM rm_queue WHERE status = 'pending' ORDER BY id")]


def claim(job_id: int) -> Claim:
    """Take a job, due or not."""
    execute("UPDATE rm_queue SET available_at = now() WHERE id = %s AND available_at > now()", (job_id,))
    found = ledger.claim(job_id)
    assert found is not None
    return found


def claim_one() -> Claim:
    (job_id,) = pending()
    return claim(job_id)


def complete(claimed: Claim, *companions: Claim) -> None:
    job_ids = [claimed.id, *(one.id for one in companions)]
    done = Done(record=lambda: outcomes.completed(job_ids))
    ledger.complete(claimed, done, companions=companions)


def fail(claimed: Claim) -> None:
    ledger.fail(claimed, "the shop refused")


def in_thread(action: Callable[[], Any]) -> Future[Any]:
    """Begin something that will have to wait."""
    pool = ThreadPoolExecutor(1)
    started = pool.submit(action)
    pool.shutdown(wait=False)
    return started


def somebody_waits_for_a_lock() -> bool:
    return row("SELECT count(*) FROM pg_locks WHERE NOT granted") != (0,)


# The window


def test_events_of_a_waiting_product_fold_into_its_job(to: Site) -> None:
    assert [deliver(to) for _ in range(3)] == ["received"] * 3

    assert jobs("status, folded") == [("pending", 2)]
    (job_id,) = pending()
    assert logged("status, job_id") == [("received", job_id)] * 3


def test_all_that_folded_are_completed_with_the_job(to: Site) -> None:
    for _ in range(3):
        deliver(to)

    complete(claim_one())

    assert logged("status, attempts") == [("completed", 1)] * 3


def test_other_products_and_other_sites_have_jobs_of_their_own(to: Site) -> None:
    deliver(to, 1)
    deliver(to, 2)
    deliver(site(BIGCOMMERCE), 1)
    deliver(site(WOOCOMMERCE), 1)

    assert len(pending()) == 4


def test_what_comes_while_the_product_is_read_makes_one_job_more_due_at_the_windows_end(to: Site) -> None:
    deliver(to)
    reading = claim_one()

    for _ in range(3):
        deliver(to)

    assert jobs("status, folded") == [("processing", 0), ("pending", 2)]
    due = rows(
        "SELECT extract(epoch FROM t.available_at - r.started_at)::float FROM rm_queue r, rm_queue t"
        " WHERE r.status = 'processing' AND t.status = 'pending'"
    )
    assert due == [(WINDOW_SECONDS,)]
    complete(reading)
    assert logged("status") == [("completed",), *[("received",)] * 3]


def test_the_window_holds_after_the_read_has_ended_too(to: Site) -> None:
    deliver(to)
    complete(claim_one())

    deliver(to)

    assert rows("SELECT available_at > now() FROM rm_queue WHERE status = 'pending'") == [(True,)]


def test_after_the_window_an_event_is_due_at_once(to: Site) -> None:
    deliver(to)
    complete(claim_one())
    execute("UPDATE rm_queue SET started_at = started_at - interval '6 seconds'")

    deliver(to)

    assert rows("SELECT available_at <= now() FROM rm_queue WHERE status = 'pending'") == [(True,)]


def test_a_change_between_two_identical_events_is_read(to: Site) -> None:
    """change 1, event, the worker reads, change 2, the same event again: nothing tells them apart."""
    shop = 1
    deliver(to, key=None)
    reading = claim_one()
    read = [shop]
    shop = 2
    deliver(to, key=None)
    complete(reading)

    trailing = claim_one()
    read.append(shop)
    complete(trailing)

    assert read == [1, 2]
    assert logged("status") == [("completed",), ("completed",)]


def test_whoever_claims_waits_for_an_event_that_is_just_folding_in(to: Site) -> None:
    deliver(to)
    (job_id,) = pending()
    with transaction():
        deliver(to)  # not committed yet
        claiming = in_thread(lambda: ledger.claim(job_id))
        eventually(somebody_waits_for_a_lock, seconds=20, every=0.02, what="the claim's wait")
        assert not claiming.done()

    claimed = claiming.result(timeout=20)

    assert claimed is not None  # and it reads only now, after the second event was stored
    complete(claimed)
    assert logged("status") == [("completed",), ("completed",)]


def test_an_event_that_meets_a_job_being_claimed_makes_the_next_one(to: Site) -> None:
    deliver(to)
    (job_id,) = pending()
    with transaction():
        claimed = ledger.claim(job_id)  # not committed yet
        assert claimed is not None
        delivering = in_thread(lambda: deliver(to))
        eventually(somebody_waits_for_a_lock, seconds=20, every=0.02, what="the delivery's wait")

    assert delivering.result(timeout=20) == "received"
    assert jobs("status, folded") == [("processing", 0), ("pending", 0)]
    assert logged("job_id") == [(job_id,), (pending()[0],)]


# The same delivery again


def test_the_same_delivery_is_dropped_while_its_job_waits_runs_or_is_done(to: Site) -> None:
    assert deliver(to, key="msg_1") == "received"
    assert deliver(to, key="msg_1") == "duplicate"
    claimed = claim_one()
    assert deliver(to, key="msg_1") == "duplicate"
    complete(claimed)
    assert deliver(to, key="msg_1") == "duplicate"

    assert jobs("status, folded") == [("completed", 0)]
    assert logged("status, job_id IS NULL") == [("completed", False), *[("duplicate", True)] * 3]


def test_a_delivery_whose_job_has_failed_is_done_again(to: Site) -> None:
    deliver(to, key="msg_1")
    fail(claim_one())

    assert deliver(to, key="msg_1") == "received"
    assert jobs() == [("failed",), ("pending",)]
    assert deliver(to, key="msg_1") == "duplicate"


def test_a_delivery_whose_job_was_cleaned_away_is_done_again(to: Site) -> None:
    deliver(to, key="msg_1")
    complete(claim_one())
    execute("DELETE FROM rm_queue")

    assert deliver(to, key="msg_1") == "received"


def test_another_sites_delivery_of_the_same_id_is_another(to: Site) -> None:
    deliver(to, key="msg_1")

    assert deliver(site(BIGCOMMERCE), key="msg_1") == "received"


# Many at once


def test_many_receivers_at_once_make_one_job_a_product(to: Site) -> None:
    together = threading.Barrier(16)

    def receive(number: int) -> list[str]:
        together.wait()
        return [deliver(to, product_id) for product_id in (1, 2, 3) for _ in range(4)]

    with ThreadPoolExecutor(16) as pool:
        answers = [answer for found in pool.map(receive, range(16)) for answer in found]

    assert answers == ["received"] * 192
    assert sorted(jobs("status, folded")) == [("pending", 63)] * 3


def test_no_change_is_lost_between_many_receivers_and_workers(to: Site) -> None:
    """Each sender changes the shop, then tells; workers claim, then read. The last read has the last change."""
    lock, stop = threading.Lock(), threading.Event()
    shop, read = {1: 0, 2: 0}, {1: 0, 2: 0}

    def send(number: int) -> None:
        for turn in range(12):
            product_id = (number + turn) % 2 + 1
            with lock:
                shop[product_id] += 1
            deliver(to, product_id)

    def work() -> None:
        while not stop.is_set():
            if not _work_once(turns):
                stop.wait(0.01)

    def _work_once(turns: list[int]) -> bool:
        execute("UPDATE rm_queue SET available_at = now() WHERE status = 'pending'")
        for job_id in pending():
            claimed = ledger.claim(job_id)
            if claimed is None:
                continue
            product_id = claimed.payload["product"]
            with lock:
                seen = shop[product_id]
            with lock:
                read[product_id] = max(read[product_id], seen)
                turns.append(job_id)
                number = len(turns)
            if number % 3:
                complete(claimed)
            else:
                ledger.defer(claimed, 0.0, error="later", costs_attempt=False)
            return True
        return False

    turns: list[int] = []
    with ThreadPoolExecutor(12) as pool:
        workers = [pool.submit(work) for _ in range(4)]
        for sent in [pool.submit(send, number) for number in range(8)]:
            sent.result(timeout=60)
        eventually(lambda: not pending(), seconds=60, every=0.05, what="the end of all jobs")
        stop.set()
        for worker in workers:
            worker.result(timeout=20)

    assert read == shop == {1: 48, 2: 48}
    assert set(jobs()) == {("completed",)}
    assert set(logged()) == {("completed",)}


# A job that waits again while another of its key does


def keys_of_pending() -> list[tuple[Any, ...]]:
    return rows("SELECT fold_key IS NULL FROM rm_queue WHERE status = 'pending' ORDER BY id")


def test_a_deferred_job_keeps_its_key_and_events_fold_into_it(to: Site) -> None:
    deliver(to)
    ledger.defer(claim_one(), 30, error="later", costs_attempt=True)

    deliver(to)

    assert jobs("status, folded") == [("pending", 1)]


@pytest.mark.parametrize("how", ["deferred", "released", "retried"])
def test_a_job_whose_key_is_taken_goes_on_without_it(to: Site, how: str) -> None:
    deliver(to)
    claimed = claim_one()
    deliver(to)  # the trailing job has the key now
    if how == "deferred":
        ledger.defer(claimed, 0, error="later", costs_attempt=True)
    elif how == "released":
        execute("UPDATE rm_queue SET lease_expires_at = now() - interval '1 s' WHERE id = %s", (claimed.id,))
        assert rescue.release_stuck() == 1
    else:
        fail(claimed)
        assert ledger.retry(claimed.id)

    assert keys_of_pending() == [(True,), (False,)]
    deliver(to)
    assert jobs("status, folded") == [("pending", 0), ("pending", 1)]
    for job_id in pending():
        complete(claim(job_id))
    assert set(logged()) == {("completed",)}


def test_a_job_that_waits_again_while_events_pour_in_never_fails_to(to: Site) -> None:
    stop = threading.Event()

    def pour() -> None:
        while not stop.is_set():
            deliver(to)
            for job_id in pending():
                claimed = ledger.claim(job_id)  # makes room for the next of the key
                if claimed is not None:
                    complete(claimed)

    deliver(to)
    with ThreadPoolExecutor(2) as pool:
        pouring = [pool.submit(pour) for _ in range(2)]
        for number in range(40):
            deliver(to, 1000 + number)
            found = row("SELECT id FROM rm_queue WHERE status = 'pending' ORDER BY id DESC LIMIT 1")
            claimed = ledger.claim(found[0]) if found else None
            if claimed is not None:
                ledger.defer(claimed, 0, error="later", costs_attempt=False)
        stop.set()
        for one in pouring:
            one.result(timeout=30)

    for job_id in pending():
        complete(claim(job_id))
    assert set(logged()) == {("completed",)}


# Jobs alike, done together


def test_companions_are_the_sites_waiting_jobs_of_the_kind_that_are_due_and_never_failed(to: Site) -> None:
    for product_id in (1, 2, 3, 4, 5):
        deliver(to, product_id)
    deliver(site(BIGCOMMERCE), 6)
    own, _, not_due, failed_before, _, _ = pending()
    execute("UPDATE rm_queue SET available_at = now() + interval '1 hour' WHERE id = %s", (not_due,))
    execute("UPDATE rm_queue SET attempts = 1 WHERE id = %s", (failed_before,))
    work = Work(claim(own))

    taken = ledger.claim_companions(work, 10)

    assert {one.payload["product"] for one in taken} == {2, 5}
    assert {one.token for one in taken} == {work.claim.token}
    assert work.companions == taken
    assert jobs("status") == [
        (s,) for s in ["processing", "processing", "pending", "pending", "processing", "pending"]
    ]


def test_no_more_companions_than_asked_for_the_first_first(to: Site) -> None:
    for product_id in range(1, 6):
        deliver(to, product_id)
    work = Work(claim(pending()[0]))

    assert {one.payload["product"] for one in ledger.claim_companions(work, 2)} == {2, 3}
    assert ledger.claim_companions(work, 0) == []


def test_companions_end_with_their_job(to: Site) -> None:
    for product_id in (1, 2, 3):
        deliver(to, product_id)
    work = Work(claim(pending()[0]))
    companions = ledger.claim_companions(work, 10)

    complete(work.claim, *companions)

    assert jobs("status, result") == [("completed", None), *[("completed", {"done_with": work.claim.id})] * 2]
    assert set(logged()) == {("completed",)}


def test_two_workers_never_take_the_same_companion(to: Site) -> None:
    for product_id in range(40):
        deliver(to, product_id + 1)
    works = [Work(claim(job_id)) for job_id in pending()[:4]]

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda work: ledger.claim_companions(work, 9), works))

    ids = [one.id for found in taken for one in found]
    assert len(ids) == len(set(ids)) <= 36
    for work in works:
        complete(work.claim, *work.companions)
    assert rows("SELECT count(*) FROM rm_queue WHERE status = 'completed'") == [(4 + len(ids),)]


def test_an_event_of_a_companion_that_is_read_makes_one_job_more(to: Site) -> None:
    deliver(to, 1)
    deliver(to, 2)
    work = Work(claim(pending()[0]))
    ledger.claim_companions(work, 10)

    deliver(to, 2)

    assert jobs("status, payload") == [
        ("processing", {"product": 1}),
        ("processing", {"product": 2}),
        ("pending", {"product": 2}),
    ]


def test_a_shops_event_hurries_the_replay_that_it_folds_into(to: Site) -> None:
    deliver(to)
    fail(claim_one())
    let_time_pass(6)
    ((delivery_id,),) = logged("id")
    deliveries.replay(delivery_id)

    deliver(to)

    assert jobs("status, folded, priority")[1:] == [("pending", 1, 10)]
