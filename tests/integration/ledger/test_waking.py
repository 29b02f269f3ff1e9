"""When a breaker closes, what waited for it is due at once; who waits for something else keeps its time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet import eventually
from tests.integration.ledger.helpers import add, column, company, due_in, earlier, job, site, status
from workers import breaker
from workers import execute as worker
from workers.errors import MustWait, RateLimited, Unavailable
from workers.hints import hints
from workers.jobs import DEFAULT_ATTEMPTS, WEBHOOKS, Done, Kind, NewJob, Work
from workers.kinds import KINDS


@pytest.fixture(autouse=True)
def sent(database: str) -> Iterator[list[int]]:
    """The ids that were hinted, in order; the messages go nowhere."""
    told: list[int] = []
    hints.use(lambda _queue, job_id: told.append(job_id))
    yield told
    hints.use(None)


class Vendor:
    """What every call to the vendor ends with; None: it is answered."""

    error: Exception | None = None

    def ask(self, work: Work) -> Done:
        """One call."""
        work.calls += 1
        if self.error is not None:
            raise self.error
        return Done()


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """Jobs of the kind `test` ask it."""
    made = Vendor()
    monkeypatch.setitem(KINDS, "test", Kind("test", made.ask))
    return made


def _open(scope: str) -> None:
    for _ in range(breaker.FAILURES_TO_OPEN):
        breaker.failed(scope)


def _waits_for_breaker(job_id: int) -> bool:
    worker.execute(job_id)
    return status(job_id) == "pending" and due_in(job_id) > 0


def test_an_outage_of_a_shop_ends_for_all_that_waited_with_the_first_answer(
    site_id: int, vendor: Vendor, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PROBE_SECONDS", 1.0)
    monkeypatch.setattr(breaker, "SPREAD_SECONDS", 0.0)
    vendor.error = Unavailable("503")
    for _ in range(breaker.FAILURES_TO_OPEN):
        worker.execute(job(site_id=site_id))
    waiting = [*add(*[NewJob("test", site_id=site_id)] * 3), job(site_id=site_id, queue=WEBHOOKS)]
    probe = job(site_id=site_id)
    for job_id in waiting:
        assert _waits_for_breaker(job_id)
        earlier(job_id, -60, "available_at")  # as long as they would with the product's own times

    vendor.error = None
    sent.clear()
    eventually(lambda: worker.execute(probe) and status(probe) == "completed", seconds=30, what="a probe")

    assert all(due_in(job_id) <= 0 for job_id in waiting)
    assert set(waiting) <= set(sent), "hinted at once as well, in both queues"
    assert all(worker.execute(job_id) for job_id in waiting)
    assert {status(job_id) for job_id in waiting} == {"completed"}


def test_an_outage_costs_no_attempts_beyond_those_that_showed_it_and_probes_go_on(
    site_id: int, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(breaker, "SPREAD_SECONDS", 0.0)
    vendor.error = Unavailable("503")
    alone = job(site_id=site_id)
    for _ in range(breaker.FAILURES_TO_OPEN):
        worker.execute(alone)
        earlier(alone, 60, "available_at")
    for probe in range(5, 20):
        asked = column(alone, "calls")
        eventually(lambda: worker.execute(alone), seconds=10, every=0.05, what="the next probe")
        assert column(alone, "calls") <= asked + 1
        assert due_in(alone) < 1, f"after {probe} failures it is due with the next probe"
    assert column(alone, "attempts") == breaker.FAILURES_TO_OPEN - 1

    vendor.error = None
    eventually(lambda: worker.execute(alone) and status(alone) == "completed", seconds=10, what="a probe")


def test_what_fails_for_longer_than_anybody_has_patience_ends_with_its_reason(
    site_id: int, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(breaker, "SPREAD_SECONDS", 0.0)
    monkeypatch.setattr(breaker, "PATIENCE_SECONDS", 0.3)
    vendor.error = Unavailable("503")
    alone = job(site_id=site_id)

    def do() -> bool:
        earlier(alone, 600, "available_at")
        worker.execute(alone)
        return bool(status(alone) == "failed")

    eventually(do, seconds=20, every=0.05, what="the end of patience")

    assert column(alone, "attempts") == DEFAULT_ATTEMPTS
    assert column(alone, "error") == "503"


def test_who_waits_for_something_else_is_not_woken(company_id: int, site_id: int, vendor: Vendor) -> None:
    scope = breaker.site_scope(site_id)
    other = site(company_id, "other")
    vendor.error = RateLimited("429", retry_after=100)
    told_when = job(site_id=site_id)
    worker.execute(told_when)
    vendor.error = MustWait(100, "the limit of the store")
    limited = job(site_id=site_id)
    worker.execute(limited)
    vendor.error = Unavailable("503", retry_after=100)
    backing_off = job(site_id=site_id)
    worker.execute(backing_off)
    later = job(site_id=site_id, delay_seconds=100)
    for shop in (scope, breaker.site_scope(other)):
        _open(shop)
    elsewhere, waiting = job(site_id=other), job(site_id=site_id)
    assert _waits_for_breaker(elsewhere)
    assert _waits_for_breaker(waiting)

    assert breaker.succeeded(scope)

    assert due_in(waiting) <= 0
    for job_id in (told_when, limited, backing_off, later):
        assert due_in(job_id) > 50
    assert due_in(elsewhere) > 0


def test_who_waited_for_a_breaker_and_was_then_told_when_to_come_keeps_that_time(
    site_id: int, vendor: Vendor
) -> None:
    scope = breaker.site_scope(site_id)
    _open(scope)
    job_id = job(site_id=site_id)
    assert _waits_for_breaker(job_id)
    breaker.succeeded(scope)
    vendor.error = RateLimited("429", retry_after=100)
    worker.execute(job_id)
    _open(scope)

    assert breaker.succeeded(scope)

    assert due_in(job_id) > 50


def test_when_business_central_answers_again_its_own_jobs_and_those_of_its_sites_are_due(
    company_id: int, site_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = breaker.company_scope(company_id)
    elsewhere = company("Fabrikam")

    def asks_bc(work: Work) -> Done:
        breaker.check(scope)  # as a site's job does that reads Business Central
        return Done()

    monkeypatch.setitem(KINDS, "test", Kind("test", asks_bc))
    _open(scope)
    _open(breaker.company_scope(elsewhere))
    own, of_site, other = job(company_id=company_id), job(site_id=site_id), job(company_id=elsewhere)
    assert all(_waits_for_breaker(job_id) for job_id in (own, of_site, other))

    assert breaker.succeeded(scope)

    assert due_in(own) <= 0
    assert due_in(of_site) <= 0
    assert due_in(other) > 0
