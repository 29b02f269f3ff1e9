"""The breaker, on a real Valkey."""

from __future__ import annotations

import time

import pytest

from workers import breaker
from workers.errors import MustWait

pytestmark = pytest.mark.usefixtures("environment")

SHOP = breaker.site_scope(7)


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PROBE_SECONDS", 0.4)
    monkeypatch.setattr(breaker, "SPREAD_SECONDS", 0.0)


def fail(times: int) -> None:
    for _ in range(times):
        breaker.failed(SHOP)


def passes(scope: str = SHOP) -> bool:
    try:
        breaker.check(scope)
    except MustWait:
        return False
    return True


def test_four_failures_in_a_row_leave_it_closed() -> None:
    fail(4)
    assert passes()


def test_the_fifth_failure_in_a_row_opens_it_and_says_when_to_come_back() -> None:
    fail(5)
    with pytest.raises(MustWait) as refusal:
        breaker.check(SHOP)
    assert 0 < refusal.value.seconds <= 0.4
    assert "site:7" in str(refusal.value)


def test_a_success_between_failures_starts_the_count_anew() -> None:
    fail(4)
    assert breaker.succeeded(SHOP) is False
    fail(4)
    assert passes()


def test_one_shop_that_fails_does_not_stop_another() -> None:
    fail(5)
    assert passes(breaker.site_scope(8))
    assert passes(breaker.company_scope(7))


def test_only_one_prober_passes_while_it_is_open() -> None:
    fail(5)
    time.sleep(0.45)
    assert [passes() for _ in range(4)] == [True, False, False, False]


def test_a_prober_that_dies_is_followed_by_another() -> None:
    fail(5)
    time.sleep(0.45)
    assert passes()
    time.sleep(0.45)
    assert passes()


def test_a_failed_probe_keeps_it_open() -> None:
    fail(5)
    time.sleep(0.45)
    assert passes()
    breaker.failed(SHOP)
    assert not passes()


def test_a_probe_that_works_closes_it_and_tells_so_once() -> None:
    fail(5)
    time.sleep(0.45)
    assert passes()
    assert breaker.succeeded(SHOP) is True
    assert breaker.succeeded(SHOP) is False
    assert all(passes() for _ in range(4))


def test_without_redis_everybody_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    from models import config

    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    config.settings.cache_clear()
    fail(5)
    assert passes()
    assert breaker.succeeded(SHOP) is False
