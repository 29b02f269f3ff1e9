"""Hints: lost, late or twice, nothing breaks; the best of every site go first, a few a site at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from models.database import execute, rows, session
from tests.integration.ledger.helpers import (
    THREADS,
    add,
    at_once,
    claimed,
    column,
    earlier,
    held,
    job,
    site,
)
from workers import dispatcher, ledger
from workers import execute as worker
from workers.hints import PER_SITE, REHINT_LONGEST_SECONDS, REHINT_SECONDS, hints, pick
from workers.jobs import SYNC, WEBHOOKS, Done, Kind, NewJob, Work
from workers.kinds import KINDS

PLANS = ("hashjoin", "hashagg", "sort", "material")  # without these a limited query may be asked twice


@pytest.fixture(autouse=True)
def sent(database: str) -> Iterator[list[int]]:
    """The ids that were hinted, in order; the messages go nowhere."""
    told: list[int] = []
    hints.use(lambda _queue, job_id: told.append(job_id))
    yield told
    hints.use(None)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Jobs of the kind `test` are done by writing their ids here."""
    ids: list[int] = []

    def handler(work: Work) -> Done:
        ids.append(work.claim.id)
        return Done()

    monkeypatch.setitem(KINDS, "test", Kind("test", handler))
    return ids


def test_what_is_inserted_is_hinted_once_its_transaction_is_through(sent: list[int]) -> None:
    with ledger.committing():
        inserted = ledger.insert([NewJob(kind="test")])
        assert sent == []

    assert sent == inserted


def test_nothing_is_hinted_of_a_transaction_that_was_undone(sent: list[int]) -> None:
    def undone() -> None:
        with ledger.committing():
            ledger.insert([NewJob(kind="test")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        undone()
    assert (sent, rows("SELECT id FROM rm_queue")) == ([], [])


def test_a_hint_that_comes_eight_times_is_work_done_once(done: list[int]) -> None:
    job_id = job()

    ends = at_once(*[partial(worker.execute, job_id)] * THREADS)

    assert Counter(map(str, ends)) == {"True": 1, "False": THREADS - 1}
    assert done == [job_id]
    assert worker.execute(job_id) is False


def test_hints_that_redis_lost_come_again_and_all_is_done(done: list[int], sent: list[int]) -> None:
    jobs = add(*[NewJob(kind="test")] * 5)
    sent.clear()  # as FLUSHALL would

    for job_id in jobs:
        earlier(job_id, REHINT_SECONDS + 1, "hinted_at")
    dispatcher.turn(heal=False)
    assert sorted(sent) == jobs
    for job_id in sent.copy():
        worker.execute(job_id)

    assert sorted(done) == jobs


def test_a_hint_is_repeated_after_15_s_and_then_at_twice_the_time_each_up_to_2_minutes(
    sent: list[int],
) -> None:
    job_id = job()
    for wait in (15, 30, 60, 120, 120, 120):
        assert wait <= REHINT_LONGEST_SECONDS
        earlier(job_id, wait - 1.5, "hinted_at")
        assert pick(SYNC, 10, again=True) == [], f"hinted again before {wait} s"
        earlier(job_id, 1.6, "hinted_at")
        assert pick(SYNC, 10) == [], "only the dispatcher hints again"
        assert pick(SYNC, 10, again=True) == [job_id], f"not hinted again after {wait} s"


def test_what_redis_did_not_take_is_not_held_to_be_hinted(sent: list[int]) -> None:
    def away(_queue: str, _job_id: int) -> None:
        raise ConnectionError("Redis is away")

    hints.use(away)
    job_id = job()
    assert column(job_id, "hinted_at") is None

    hints.use(lambda _queue, job_id: sent.append(job_id))
    dispatcher.turn(heal=False)
    assert sent == [job_id]


def test_of_one_site_only_so_many_are_hinted_and_another_gets_its_turn(company_id: int) -> None:
    huge, small = site(company_id, "huge"), site(company_id, "small")
    hints.use(None)
    many = add(*[NewJob(kind="test", site_id=huge)] * (PER_SITE * 3))
    few = add(*[NewJob(kind="test", site_id=small)] * 2, NewJob(kind="test"))

    picked = pick(SYNC, 1000)

    assert picked == many[:PER_SITE] + few
    assert pick(SYNC, 1000) == []


def test_the_window_of_a_site_moves_on_as_its_jobs_end(site_id: int) -> None:
    hints.use(None)
    many = add(*[NewJob(kind="test", site_id=site_id)] * (PER_SITE + 5))
    assert pick(SYNC, 1000) == many[:PER_SITE]

    begun = [claimed(job_id) for job_id in many[:4]]
    assert pick(SYNC, 1000) == [], "what is being done counts as well"
    for claim in begun[:3]:
        ledger.complete(claim, Done())

    assert pick(SYNC, 1000) == many[PER_SITE : PER_SITE + 3]


def test_no_more_companions_are_taken_than_asked_for_whatever_the_planner_likes(site_id: int) -> None:
    hints.use(None)
    many = add(*[NewJob(kind="test", queue=WEBHOOKS, site_id=site_id)] * (PER_SITE + 5))
    first = claimed(many[0])
    with session():
        for plan in PLANS:
            execute(f"SET enable_{plan} = off")
        try:
            taken = ledger.claim_companions(Work(first), PER_SITE)
        finally:
            for plan in PLANS:
                execute(f"RESET enable_{plan}")

    assert [claim.id for claim in sorted(taken, key=lambda claim: claim.id)] == many[1 : PER_SITE + 1]


def test_jobs_that_are_done_together_take_one_place_of_the_window(site_id: int) -> None:
    hints.use(None)
    fields = {"kind": "test", "queue": WEBHOOKS, "site_id": site_id}
    many = add(*[NewJob(**fields)] * (PER_SITE + 5))  # type: ignore[arg-type]
    first = claimed(many[0])
    assert len(ledger.claim_companions(Work(first), PER_SITE)) == PER_SITE

    assert pick(WEBHOOKS, 1000) == many[PER_SITE + 1 :]


def test_what_a_person_waits_for_goes_before_the_nights(company_id: int) -> None:
    first, second = site(company_id, "first"), site(company_id, "second")
    hints.use(None)
    night = job(site_id=first, priority=50)
    person = job(site_id=second, priority=20)
    urgent = job(site_id=first, priority=10)

    assert pick(SYNC, 2) == [urgent, person]
    assert pick(SYNC, 2) == [night]


def test_eight_dispatchers_hint_each_job_once_and_keep_to_the_window(company_id: int) -> None:
    sites = [site(company_id, f"site {number}") for number in range(3)]
    hints.use(None)
    for site_id in sites:
        add(*[NewJob(kind="test", site_id=site_id)] * (PER_SITE * 2))

    ends = at_once(*[partial(pick, SYNC, 1000)] * THREADS)

    picked = [job_id for end in ends if isinstance(end, list) for job_id in end]
    assert all(isinstance(end, list) for end in ends), ends
    assert len(picked) == len(set(picked)) == PER_SITE * 3
    assert rows("SELECT max(hint_count) FROM rm_queue") == [(1,)]


def test_who_waits_for_a_store_is_not_hinted_and_who_lets_go_of_it_hints_the_next(sent: list[int]) -> None:
    holder = held(store_key="store", queue=SYNC)
    waiting = job(store_key="store", queue=WEBHOOKS)
    later = job(store_key="store", queue=WEBHOOKS)
    sent.clear()
    dispatcher.turn(heal=False)
    assert sent == []

    ledger.complete(holder, Done())

    assert sent == [waiting]
    assert column(later, "hinted_at") is None


def test_a_job_that_lost_the_race_for_a_store_is_hinted_as_soon_as_it_is_free(sent: list[int]) -> None:
    loser = job(store_key="store")
    holder = held(store_key="store", priority=5)
    assert ledger.claim(loser) is None, "its hint came while the store was taken"
    execute("DELETE FROM rm_store_leases")  # let go of where nobody could see who waits
    assert holder.id != loser
    sent.clear()

    dispatcher.turn(heal=False)

    assert sent == [loser]
