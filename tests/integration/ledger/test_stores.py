"""One writer a store: taken, taken over, renewed and let go in PostgreSQL, and never kept by the dead."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial

import pytest

from models.config import settings
from models.database import execute, row, rows, transaction
from tests.fleet import eventually
from tests.integration.ledger.helpers import (
    THREADS,
    at_once,
    claimed,
    earlier,
    held,
    job,
    lapse,
    somebody_waits,
    status,
)
from workers import leases, ledger, rescue
from workers.errors import LeaseLost
from workers.jobs import HARD_DEADLINE_SECONDS, Claim, Done
from workers.leases import WRITE_MARGIN_SECONDS, Heartbeat, heartbeat

JOBS = 24
STORE = "woocommerce:store"


def _left() -> float:
    """Seconds that the store's lease has left."""
    found = row("SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM rm_store_leases")
    assert found is not None
    return float(found[0])


def _sending(claim: Claim, site_id: int) -> int:
    """An item that this job is writing right now; gives its id."""
    found = row(
        "INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, tracking, observed_at, wanted, shown,"
        " sent, sent_at, sent_by_job) VALUES (%s, 1, 'A', 'A', 'A', 'own', now(), 5, 3, 5, now(), %s) RETURNING id",
        (site_id, claim.id),
    )
    assert found is not None
    execute(
        "INSERT INTO rm_pushes (job_id, item_id, wanted, outcome) VALUES (%s, %s, 5, 'sending')",
        (claim.id, found[0]),
    )
    return int(found[0])


def _doubted() -> list[tuple[str, bool]]:
    return [
        (outcome, unsure)
        for outcome, unsure in rows(
            "SELECT p.outcome, i.unsure FROM rm_pushes p JOIN rm_items i ON i.id = p.item_id ORDER BY p.job_id"
        )
    ]


def test_eight_workers_drain_the_writes_of_one_store_one_after_the_other(database: str) -> None:
    jobs = [job(store_key=STORE) for _ in range(JOBS)]
    writing = threading.Lock()
    done: Counter[int] = Counter()

    def work() -> None:
        while left := [job_id for job_id in jobs if not done[job_id]]:
            for job_id in left:
                claim = ledger.claim(job_id)
                if claim is None:
                    continue
                assert writing.acquire(blocking=False), "two writers at once"
                leases.before_write(claim)
                done[job_id] += 1
                writing.release()
                ledger.complete(claim, Done())

    ends = at_once(*[work] * THREADS)

    assert ends == [None] * THREADS
    assert sorted(done.values()) == [1] * JOBS
    assert rows("SELECT attempts FROM rm_queue GROUP BY 1") == [(1,)], "waiting for a store is no attempt"
    assert rows("SELECT * FROM rm_store_leases") == []


def test_who_takes_over_a_lapsed_store_leaves_what_the_dead_was_sending_in_doubt(site_id: int) -> None:
    dead = held(store_key=STORE)
    _sending(dead, site_id)
    following = job(store_key=STORE)
    assert ledger.claim(following) is None

    lapse(dead.id)
    claimed(following)

    assert _doubted() == [("unsure", True)]
    with pytest.raises(LeaseLost):
        leases.before_write(dead)


def test_what_the_dead_was_sending_is_doubted_also_where_the_first_to_take_over_is_undone(
    site_id: int,
) -> None:
    dead = held(store_key=STORE)
    _sending(dead, site_id)
    lapse(dead.id)
    first, second = held(), job(store_key=STORE)
    taken: list[object] = []
    taker = threading.Thread(target=lambda: taken.extend(at_once(partial(ledger.claim, second))))

    def undone() -> None:
        with transaction():
            assert leases.take_store(STORE, first.id, first.token)
            taker.start()
            eventually(somebody_waits, seconds=20, every=0.02, what="a wait for the lease")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    taker.join(timeout=20)

    assert isinstance(taken[0], Claim)
    assert _doubted() == [("unsure", True)]


def test_the_dead_holders_own_next_attempt_finds_its_rows_in_doubt(site_id: int) -> None:
    dead = held(store_key=STORE)
    _sending(dead, site_id)
    lapse(dead.id)

    rescue.release_stuck()

    assert _doubted() == [("unsure", True)]
    assert claimed(dead.id).attempts == 2


def test_a_store_stays_closed_while_the_one_that_is_cancelled_may_still_be_writing(site_id: int) -> None:
    writer = held(store_key=STORE)
    _sending(writer, site_id)
    following = job(store_key=STORE)

    assert ledger.cancel(writer.id)

    assert ledger.claim(following) is None
    assert _doubted() == [("unsure", True)]
    lapse(writer.id)
    assert ledger.claim(following) is not None


def test_before_a_write_the_lease_is_made_to_outlive_it_by_the_margin(database: str) -> None:
    writer = held(store_key=STORE)
    execute("UPDATE rm_store_leases SET expires_at = now() + interval '1 s'")

    leases.before_write(writer)

    assert _left() > settings().write_deadline_seconds + WRITE_MARGIN_SECONDS - 1


def test_a_store_lease_that_is_set_too_short_is_still_made_to_outlive_a_write(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_LEASE_SECONDS", "5")
    settings.cache_clear()
    writer = held(store_key=STORE)

    leases.before_write(writer)

    assert _left() > settings().write_deadline_seconds + WRITE_MARGIN_SECONDS - 1


@pytest.mark.parametrize("trouble", ["lapsed", "taken over", "given back", "deadline too near"])
def test_no_write_starts_by_one_that_may_not_hold_the_store_to_its_end(database: str, trouble: str) -> None:
    writer = held(store_key=STORE)
    needed = settings().write_deadline_seconds + WRITE_MARGIN_SECONDS
    if trouble == "lapsed":
        execute("UPDATE rm_store_leases SET expires_at = now() - interval '1 s'")
    elif trouble == "taken over":
        lapse(writer.id)
        claimed(job(store_key=STORE))
    elif trouble == "given back":
        lapse(writer.id)
        rescue.release_stuck()
    else:
        earlier(writer.id, HARD_DEADLINE_SECONDS - needed + 1, "deadline_at")

    with pytest.raises(LeaseLost):
        leases.before_write(writer)


def test_a_job_that_hangs_past_its_deadline_loses_its_store_as_well(database: str) -> None:
    hung = held(store_key=STORE)
    execute("UPDATE rm_store_leases SET expires_at = now() + interval '1 s'")
    heartbeat._renew([hung])
    assert _left() > settings().store_lease_seconds - 5, "while it may run, both are renewed"

    earlier(hung.id, HARD_DEADLINE_SECONDS + 1, "deadline_at", "lease_expires_at")
    execute("UPDATE rm_store_leases SET expires_at = now() + interval '1 s'")
    heartbeat._renew([hung])

    assert _left() <= 1


def test_a_job_that_was_given_back_does_not_keep_its_store_by_the_process_that_hangs(database: str) -> None:
    hung = held(store_key=STORE)
    earlier(hung.id, 31 * 60, "started_at")
    rescue.release_stuck(30)
    execute("UPDATE rm_store_leases SET expires_at = now() + interval '1 s'")

    heartbeat._renew([hung])

    assert _left() <= 1
    assert status(hung.id) == "pending"


def test_a_job_claimed_anew_beside_its_hung_self_is_renewed_when_that_one_ends(database: str) -> None:
    hung = held()
    with heartbeat.holding(hung):
        lapse(hung.id)
        rescue.release_stuck()
        again = claimed(hung.id)
        holding = heartbeat.holding(again)
        holding.__enter__()
    try:
        assert list(heartbeat._held.values()) == [again]
    finally:
        holding.__exit__(None, None, None)
    assert heartbeat._held == {}


def test_a_lease_is_renewed_while_its_job_runs_and_after_a_renewal_that_broke(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_LEASE_SECONDS", "1")
    settings.cache_clear()
    claim = held()
    first = row("SELECT lease_expires_at FROM rm_queue")
    heartbeat = Heartbeat()

    with heartbeat.holding(claim):
        execute("ALTER TABLE rm_queue RENAME COLUMN lease_expires_at TO away")
        eventually(lambda: heartbeat.failed_renewals > 0, seconds=20, what="a renewal that breaks")
        execute("ALTER TABLE rm_queue RENAME COLUMN away TO lease_expires_at")
        eventually(
            lambda: row("SELECT lease_expires_at FROM rm_queue") != first,
            seconds=20,
            what="a renewal after it",
        )
