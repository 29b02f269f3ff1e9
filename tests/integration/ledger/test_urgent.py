"""A more urgent write goes before a night's chunk; and a chunk gets on however the urgent one fares."""

from __future__ import annotations

import pytest

from models.database import execute, row, rows
from tests.fleet import eventually
from tests.integration.ledger.helpers import claimed, column, due_in, earlier, job, status
from tests.integration.sync.conftest import bc, owner, simulators, supply, woo  # noqa: F401 - fixtures
from tests.integration.sync.shops import WooCommerceShop
from tests.integration.sync.working import do_next, drain_until_step
from tests.places import run_of
from workers import execute as worker
from workers import leases, ledger
from workers.errors import InventorySyncError, MustWait, Unavailable
from workers.execute import LEAST_WAIT_SECONDS
from workers.full_sync.requests import request_sync
from workers.hints import hints, pick
from workers.jobs import SYNC, WEBHOOKS, Done, Kind, Priority, Work
from workers.kinds import KINDS
from workers.leases import GIVE_WAY_SECONDS

STORE = "woocommerce:store"

# Inserts an urgent write to the store as soon as the first row of a chunk is recorded as written.
_URGENT_AFTER_THE_FIRST_BATCH = """
    CREATE FUNCTION urgent() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO rm_queue (queue, kind, priority, store_key, unique_key)
        SELECT 'sync', 'urgent', 10, store_key, 'urgent' FROM rm_queue WHERE id = NEW.job_id
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$;
    CREATE TRIGGER urgent AFTER UPDATE ON rm_pushes FOR EACH ROW WHEN (NEW.outcome = 'pushed')
        EXECUTE FUNCTION urgent();
"""


# As if it were due again whenever a batch is through, and whenever the store is taken: the worst that it can do.
_URGENT_ALL_THE_TIME = """
    CREATE FUNCTION urgent() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE rm_queue SET available_at = now(), attempts = 0 WHERE kind = 'urgent' AND status = 'pending';
        RETURN NULL;
    END $$;
    CREATE TRIGGER urgent AFTER UPDATE ON rm_pushes FOR EACH ROW WHEN (NEW.outcome = 'pushed')
        EXECUTE FUNCTION urgent();
    CREATE TRIGGER urgent AFTER INSERT ON rm_store_leases EXECUTE FUNCTION urgent();
"""


def _sync_to_push(woo: WooCommerceShop, products: int) -> int:  # noqa: F811
    """A sync of so many products that all differ, come to its writes; gives the run's id."""
    for number in range(products):
        woo.add_stocked(f"SKU-{number:03}", 7)
    run_id = request_sync(woo.site.id, requested_by="test", priority=Priority.NIGHT).run_id
    drain_until_step(run_id, "push")
    return run_id


def _id_of(kind: str) -> int:
    found = row("SELECT id FROM rm_queue WHERE kind = %s", (kind,))
    assert found is not None
    return int(found[0])


def test_between_two_batches_a_chunk_lets_an_urgent_write_pass_and_then_goes_on(
    woo: WooCommerceShop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = _sync_to_push(woo, 130)  # two calls
    execute(_URGENT_AFTER_THE_FIRST_BATCH)
    written: list[int] = []
    monkeypatch.setitem(KINDS, "urgent", Kind("urgent", lambda work: _note(written, woo)))

    chunk = do_next("stock.push", run_id)

    assert (status(chunk), column(chunk, "attempts")) == ("pending", 0)
    assert due_in(chunk) <= LEAST_WAIT_SECONDS
    assert len(woo.written()) == 100
    assert worker.execute(chunk) is False, "the store is kept for the urgent one"
    assert worker.execute(_id_of("urgent"))
    assert written == [100]
    eventually(lambda: worker.execute(chunk), seconds=10, what="the chunk's turn")
    assert status(chunk) == "completed"
    assert len(woo.written()) == 130


def _note(written: list[int], woo: WooCommerceShop) -> Done:  # noqa: F811
    written.append(len(woo.written()))
    return Done()


def test_where_both_are_due_the_urgent_one_is_hinted_and_has_the_store(database: str) -> None:
    hints.use(None)
    night = job(store_key=STORE, priority=50)
    urgent = job(store_key=STORE, priority=10)

    assert pick(SYNC, 10) == [urgent]
    assert ledger.claim(night) is None, "an old hint of it"
    assert (status(night), column(night, "attempts")) == ("pending", 0)
    assert pick(SYNC, 10) == []
    claim = claimed(urgent)
    ledger.complete(claim, Done())
    assert pick(SYNC, 10) == [night]
    assert claimed(night)


def test_an_urgent_write_of_another_queue_has_the_store_first_too(database: str) -> None:
    hints.use(None)
    night = job(store_key=STORE, priority=50)
    urgent = job(store_key=STORE, priority=10, queue=WEBHOOKS)

    assert pick(SYNC, 10) == []
    assert ledger.claim(night) is None
    assert pick(WEBHOOKS, 10) == [urgent]
    assert claimed(urgent)


def test_an_urgent_write_that_is_not_due_yet_keeps_nobody_waiting(database: str) -> None:
    night = job(store_key=STORE, priority=50)
    job(store_key=STORE, priority=10, delay_seconds=30)

    assert not leases.overtaken(STORE, 50)
    assert claimed(night)


def test_a_store_is_not_kept_for_ever_for_an_urgent_write_that_nobody_comes_for(database: str) -> None:
    hints.use(None)
    urgent = job(store_key=STORE, priority=10, queue=WEBHOOKS)
    earlier(urgent, GIVE_WAY_SECONDS + 1, "available_at", "updated_at")
    night = job(store_key=STORE, priority=50)

    assert pick(SYNC, 10) == [night], "no worker of the other queue came in a minute"
    holder = claimed(night)

    assert not leases.overtaken(STORE, 50)
    assert ledger.claim(urgent) is None, "now one came: the chunk gives way between two batches again"
    assert leases.overtaken(STORE, 50)
    ledger.defer(holder, 0, error="gives way", costs_attempt=False)
    assert ledger.claim(night) is None
    assert claimed(urgent)


@pytest.mark.parametrize(
    "trouble",
    [Unavailable("503"), MustWait(0.2, "a limit"), MustWait(0.0, "at once")],
    ids=["fails", "waits a little", "waits not at all"],
)
def test_a_chunk_gets_on_while_an_urgent_write_fails_again_and_again(
    woo: WooCommerceShop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    trouble: InventorySyncError,
) -> None:
    hints.use(None)
    tried: list[int] = []

    def urgent(work: Work) -> Done:
        tried.append(work.claim.id)
        raise trouble

    monkeypatch.setitem(KINDS, "urgent", Kind("urgent", urgent))
    run_id = _sync_to_push(woo, 220)  # three calls
    (night,) = (job_id for (job_id,) in rows("SELECT id FROM rm_queue WHERE kind = 'stock.push'"))
    hasty = job("urgent", store_key=woo.site.store_key, priority=10)
    execute(_URGENT_ALL_THE_TIME)

    def turn() -> bool:
        for job_id in pick(SYNC, 10, again=True):
            worker.execute(job_id)
        return run_of(run_id).status == "completed"

    eventually(turn, seconds=60, every=0.01, what="the end of the chunk")
    assert (status(night), column(night, "attempts")) == ("completed", 1)
    assert len(woo.written()) == 220
    assert 3 <= len(tried) < 60, "before each batch, but never so often that a worker does nothing else"
    assert status(hasty) == "pending"
