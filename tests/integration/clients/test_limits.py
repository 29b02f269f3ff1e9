"""The rate limits of the whole fleet, on a real Valkey and with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis

from models import config
from tests.fleet import eventually
from tests.integration.clients.hammer import Call, be_old, hammer, hammer_store
from tests.simulators.process import Simulators
from workers import limits, local_limits, metrics, slot_leases
from workers.errors import MustWait
from workers.limits import HeaderGate, SlotGate

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def valkey(environment: dict[str, str]) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(environment["REDIS_URL"], decode_responses=True) as client:
        yield client


@pytest.fixture(autouse=True)
def _fresh_bounds() -> None:
    limits._bounds.clear()


def slots(scope: str = "test", **changes: float) -> SlotGate:
    values = {"at_once": 5, "quota": 0, "window": 2.0, "settle": 0.0} | changes
    return SlotGate("Vendor", scope, **values)  # type: ignore[arg-type]


def answers(left: int, reset_ms: int = 30_000, quota: int = 150) -> dict[str, str]:
    return {
        "X-Rate-Limit-Requests-Left": str(left),
        "X-Rate-Limit-Time-Reset-Ms": str(reset_ms),
        "X-Rate-Limit-Requests-Quota": str(quota),
    }


def waits(gate: SlotGate | HeaderGate) -> float | None:
    """The seconds that the gate sends a call away for, or None where it lets it pass."""
    try:
        with gate.enter("items", False):
            return None
    except MustWait as wait:
        return wait.seconds


def most_at_once(calls: list[Call]) -> int:
    changes = sorted([(c.start, 1) for c in calls] + [(c.end, -1) for c in calls])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def most_in_window(calls: list[Call], window: float) -> int:
    starts = sorted(c.start for c in calls)
    return max(sum(1 for s in starts[i:] if s < start + window) for i, start in enumerate(starts))


def test_four_processes_never_make_more_than_five_calls_at_once_nor_more_than_the_window_holds() -> None:
    calls = hammer(processes=4, threads=3, seconds=5.0, at_once=5, quota=60, window=2.0)

    assert most_at_once(calls) == 5
    # A call is counted when it takes its place, and `start` is written later, on a busy machine by much.
    assert 40 <= most_in_window(calls, 1.7) <= 60
    assert len({call.process for call in calls}) == 4, "no process starves"


def test_a_sixth_call_at_once_waits_a_quarter_of_a_second_and_then_gives_its_thread_back() -> None:
    gate = slots()
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(gate.enter("items", False))
        begun = time.monotonic()
        seconds = waits(gate)
        assert time.monotonic() - begun < 0.9
        assert seconds is not None
        assert 0.5 <= seconds <= 1.5
    assert waits(gate) is None


def test_a_full_window_says_when_there_is_room_again(valkey: redis.Redis) -> None:
    gate = slots(quota=10, window=3.0)
    be_old(valkey)
    for _ in range(10):
        assert waits(gate) is None
    seconds = waits(gate)
    assert seconds is not None
    assert 2.0 < seconds < 3.5
    time.sleep(seconds)
    assert waits(gate) is None


def test_after_flushall_half_the_quota_holds_for_one_window(valkey: redis.Redis) -> None:
    gate = slots(quota=20, window=1.0)
    assert [waits(gate) for _ in range(10)] == [None] * 10
    assert waits(gate) is not None
    time.sleep(1.1)
    assert [waits(gate) for _ in range(20)] == [None] * 20
    assert waits(gate) is not None


def test_what_was_called_before_flushall_still_counts_after_it(valkey: redis.Redis) -> None:
    be_old(valkey)
    gate = slots(quota=20, window=3.0)
    for _ in range(15):
        assert waits(gate) is None
    valkey.flushdb()

    seconds = waits(gate)

    assert seconds is not None, "more than the half that holds after FLUSHALL has been called"
    time.sleep(seconds)
    assert waits(gate) is None


def test_the_calls_of_a_process_that_makes_none_just_now_still_count_for_the_others(
    valkey: redis.Redis,
) -> None:
    be_old(valkey)
    for _ in range(15):
        assert waits(slots(quota=20, window=3.0)) is None
    valkey.flushdb()
    for renew in slot_leases.also_renewed:
        renew()

    limits._bounds.clear()  # as another process is, which has called nothing
    limits._records.clear()

    assert waits(slots(quota=20, window=3.0)) is not None


def test_four_processes_keep_the_window_although_redis_forgets_it_when_more_than_half_is_spent(
    valkey: redis.Redis,
) -> None:
    forgetting = threading.Timer(4.0, valkey.flushdb)
    forgetting.start()
    calls = hammer(processes=4, threads=3, seconds=10.0, at_once=10, quota=190, window=5.0, settle=3.0)
    forgetting.join()

    assert most_in_window(calls, 4.7) <= 200  # as Business Central's 6,000 of which we use 5,700
    assert len(calls) > 190


def test_after_flushall_no_slot_is_given_until_their_holders_wrote_them_back(valkey: redis.Redis) -> None:
    gate = slots(settle=1.0)
    be_old(valkey)
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(gate.enter("items", False))
        valkey.flushdb()
        assert 0.5 < (waits(gate) or 0) < 1.2, "four are under way, and others may be"
        limits._records.clear()  # as another process is, which has called nothing
        assert waits(gate) is not None
        time.sleep(1.1)
        assert waits(gate) is None
        with gate.enter("items", False):
            assert waits(gate) is not None, "the four were written back"


def test_a_process_that_calls_one_vendor_knows_that_the_slots_at_another_are_forgotten(
    valkey: redis.Redis,
) -> None:
    be_old(valkey)
    assert waits(slots("one")) is None
    valkey.flushdb()
    assert waits(slots("another", settle=1.0)) is not None


def test_four_processes_never_make_more_calls_at_once_although_redis_forgets_those_under_way(
    valkey: redis.Redis,
) -> None:
    forgetting = threading.Timer(2.5, valkey.flushdb)
    forgetting.start()
    calls = hammer(processes=4, threads=3, seconds=8.0, at_once=4, settle=3.0, call_seconds=0.2)
    forgetting.join()

    assert most_at_once(calls) == 4
    begun = min(call.start for call in calls)
    assert max(call.start for call in calls) > begun + 5, "and they go on"


def test_a_killed_process_gives_its_slots_back_when_its_lease_ends(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, signal\n"
        "from workers import slot_leases, limits\n"
        "limits.LEASE_MS = 2500\n"
        "gate = limits.SlotGate('V', 'test', at_once=1, settle=0.0)\n"
        "with gate.enter('items', False):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    gate = slots(at_once=1)
    assert waits(gate) is not None
    time.sleep(2.6)
    assert waits(gate) is None


def test_a_call_that_outlasts_its_lease_keeps_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LEASE_MS", 600)
    monkeypatch.setattr(slot_leases, "LEASE_MS", 600)
    gate = slots(at_once=1)
    with gate.enter("items", False):
        for _ in range(8):
            time.sleep(0.1)
            slot_leases.leases.renew()
        assert waits(gate) is not None


def test_a_429_stops_every_process_for_as_long_as_it_asks() -> None:
    gate, elsewhere = slots(), slots()
    with gate.enter("items", False):
        gate.learn(429, {"Retry-After": "7"})
    seconds = waits(elsewhere)
    assert seconds is not None
    assert 6 < seconds < 8


def test_a_shorter_wait_does_not_end_a_longer_one() -> None:
    assert limits.pause("test", 30) == 30
    assert limits.pause("test", 1) > 29


def test_429s_that_name_no_time_wait_longer_each_time_but_count_once_a_pause(valkey: redis.Redis) -> None:
    lengths = []
    for _ in range(7):
        lengths.append(limits.pause("test", None))
        limits.pause("test", None)
        limits.pause("test", None)
        valkey.delete("inventory-sync:limit:{test}:pause")
    assert lengths == [2, 4, 8, 16, 30, 30, 30]


def test_after_as_long_without_a_429_the_next_one_is_a_first_one_again(valkey: redis.Redis) -> None:
    limits.pause("test", None)
    assert 3_000 < valkey.pttl("inventory-sync:limit:{test}:strikes") <= 4_000

    valkey.delete("inventory-sync:limit:{test}:pause", "inventory-sync:limit:{test}:strikes")

    assert limits.pause("test", None) == 2


def test_a_503_stops_the_fleet_only_where_it_says_for_how_long() -> None:
    gate = slots()
    gate.learn(503, {})
    assert waits(gate) is None
    gate.learn(503, {"Retry-After": "600"})
    assert (waits(gate) or 0) > 500


def test_bigcommerce_stops_at_a_small_reserve_until_the_window_ends() -> None:
    gate = HeaderGate("BigCommerce", "test")
    with gate.enter("products", False):
        gate.learn(200, answers(left=7, reset_ms=9_000))
    with gate.enter("products", False), gate.enter("products", False):
        seconds = waits(gate)
    assert seconds is not None
    assert 8 < seconds < 10.5


def test_each_bigcommerce_call_under_way_reserves_one() -> None:
    gate = HeaderGate("BigCommerce", "test")
    gate.learn(200, answers(left=limits.BIGCOMMERCE_RESERVE + 3))
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(gate.enter("products", False))
        assert waits(gate) is not None
    assert waits(gate) is None


def test_after_flushall_one_call_at_a_time_hears_what_is_left(valkey: redis.Redis) -> None:
    """What was under way before is counted by the store, but not by us any more."""
    gate = HeaderGate("BigCommerce", "test")
    with gate.enter("products", False), gate.enter("products", False):
        gate.learn(200, answers(left=100))
    valkey.flushdb()
    with gate.enter("products", False):
        assert waits(gate) is not None
        gate.learn(200, answers(left=90))
        assert waits(gate) is not None, "others may still be under way"
    assert waits(gate) is None


def test_four_processes_never_overspend_a_store_s_quota_although_redis_forgets_it(
    valkey: redis.Redis,
) -> None:
    with Simulators.start(bc_items=10, bigcommerce_skus=10, woocommerce=0) as simulators:
        store = simulators.bigcommerce[0]
        store.configure(quota=60, window_seconds=3)
        store.set_latency(100)
        until = time.monotonic() + 60
        crowd = hammer_store(store, processes=4, threads=4)
        try:
            for calls in (40, 70, 100):
                eventually(lambda calls=calls: store.total_calls() > calls, seconds=60, every=0.02)  # type: ignore[misc]
                valkey.flushdb()
        finally:
            for process in crowd:
                process.kill()
                process.wait()
        assert time.monotonic() < until, "the limit is kept, and used"
        assert store.violations() == {}


def test_answers_that_overtake_each_other_do_not_raise_what_is_left(valkey: redis.Redis) -> None:
    gate = HeaderGate("BigCommerce", "test")
    gate.learn(200, answers(left=90, reset_ms=20_000))
    gate.learn(200, answers(left=80, reset_ms=19_500))
    gate.learn(200, answers(left=85, reset_ms=19_800))
    assert _state(valkey)["left"] == "80"


def test_a_429_is_believed_whatever_was_heard_of_the_window_before(valkey: redis.Redis) -> None:
    gate = HeaderGate("BigCommerce", "test")
    gate.learn(200, answers(left=400, reset_ms=29_000, quota=450))
    gate.learn(429, answers(left=0, reset_ms=500, quota=450))
    assert 0.3 < (waits(gate) or 0) < 0.6
    time.sleep(0.55)
    assert waits(gate) is None
    assert _state(valkey)["left"] == "450"


def test_a_new_window_brings_the_whole_quota_back(valkey: redis.Redis) -> None:
    gate = HeaderGate("BigCommerce", "test")
    gate.learn(200, answers(left=0, reset_ms=600))
    assert waits(gate) is not None
    time.sleep(0.65)
    assert waits(gate) is None
    gate.learn(200, answers(left=149, reset_ms=29_900))
    assert _state(valkey)["left"] == "149"


def test_answers_without_headers_are_counted_by_ourselves(valkey: redis.Redis) -> None:
    gate = HeaderGate("BigCommerce", "test")
    gate.learn(200, answers(left=50))
    gate.learn(500, {})
    gate.learn(500, {"X-Rate-Limit-Requests-Left": "many"})
    assert _state(valkey)["left"] == "48"


def test_before_the_first_answer_half_of_the_smallest_plan_is_assumed(valkey: redis.Redis) -> None:
    gate = HeaderGate("BigCommerce", "test")
    assert waits(gate) is None
    assert _state(valkey)["left"] == "75"
    gate.learn(200, answers(left=449, quota=450))
    assert _state(valkey)["left"] == "449"


def test_stores_do_not_share_a_limit_and_one_store_shares_it_whoever_asks() -> None:
    one, same, other = (limits.woocommerce_gate(url) for url in ("https://a", "https://A/", "https://b"))
    assert one.scope == same.scope != other.scope
    assert (
        limits.bigcommerce_gate("https://api", "h1").scope
        != limits.bigcommerce_gate("https://api", "h2").scope
    )
    assert limits.business_central_gate("t", "c").scope != limits.business_central_gate("t", "d").scope
    assert "https" not in one.scope


class TestWithoutRedis:
    @pytest.fixture(autouse=True)
    def _no_redis(self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        config.settings.cache_clear()

    def test_calls_go_on_within_half_the_limit_and_are_counted(self) -> None:
        before = _failed_open()
        gate = slots(at_once=5)
        with gate.enter("items", False), gate.enter("items", False):
            assert waits(gate) is not None
        assert waits(gate) is None
        assert _failed_open() == before + 4

    def test_half_the_quota_holds_for_this_process(self) -> None:
        gate = slots(quota=10, window=0.5)
        assert [waits(gate) for _ in range(5)] == [None] * 5
        seconds = waits(gate)
        assert seconds is not None
        assert seconds <= 0.5
        time.sleep(0.55)
        assert waits(gate) is None

    def test_a_429_stops_at_least_this_process(self) -> None:
        gate = slots()
        gate.learn(429, {"Retry-After": "5"})
        assert (waits(gate) or 0) > 4

    def test_the_record_is_doubted_once_redis_is_back(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], servers: object
    ) -> None:
        gate = slots(quota=20, window=30.0)
        for _ in range(3):
            assert waits(gate) is None
        assert isinstance(limits._bounds["test"], local_limits.LocalBound)
        monkeypatch.setenv("REDIS_URL", environment["REDIS_URL"])
        config.settings.cache_clear()
        assert [waits(gate) for _ in range(10)] == [None] * 10
        assert waits(gate) is not None


def _failed_open() -> float:
    return metrics.limits_failed_open.labels("Vendor")._value.get()


def _state(valkey: redis.Redis) -> dict[str, str]:
    return valkey.hgetall("inventory-sync:limit:{test}:state")  # type: ignore[return-value]
