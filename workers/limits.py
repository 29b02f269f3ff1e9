"""The vendors' rate limits, shared by the whole fleet in Redis.

A call takes a leased place before it is sent. Where none is free it waits a quarter of a second at most, then
raises MustWait: the job gives its thread back and comes again when it is worthwhile. Redis away: fails open,
with a bound of half the quota per process.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import redis
from redis.commands.core import Script

from workers import limit_scripts, metrics, stopping
from workers.clients.answers import wait_asked
from workers.errors import MustWait
from workers.local_limits import LocalBound
from workers.redis_client import RedisAwayError, attempt, run_script
from workers.slot_leases import LEASE_MS, also_renewed, leases

BC_AT_ONCE = 5  # Microsoft: per user; five more wait in BC's own queue, where they only time out
BC_QUOTA = 5_700  # of 6,000: calls that another process sent as its slot lapsed, and other apps' odd ones
BC_WINDOW = 300.0  # seconds, sliding
BIGCOMMERCE_WINDOW = 30.0  # seconds, where no answer has said so yet
BIGCOMMERCE_UNKNOWN = 75  # requests: half of what the smallest plan has, until the first answer tells
BIGCOMMERCE_RESERVE = 5  # requests left to the shop's other apps
WOOCOMMERCE_AT_ONCE = 4  # a small host runs about as many PHP processes
SETTLE = 5.0  # seconds for all who hold a place to tell a Redis that forgot it: two renewals and more

SPIN = 0.25  # seconds that a call may wait for a slot: shorter than handing a job back and forth
NAP = (0.02, 0.05)  # seconds between two looks
SLOT_WAIT = (0.5, 1.5)  # seconds until a job that found no slot comes again
FIRST_PAUSE = 2.0  # seconds after a 429 that names no time; doubled each time
LONGEST_GROWN_PAUSE = 30.0  # half of the minute in which all must be right again
REMINDED_AT_ONCE = 1_000  # calls that one script is told of
SAME_WINDOW_MS = 2_000  # BigCommerce's ends of window that lie closer together are one and the same

_RECORD_KEY = "inventory-sync:limits"

# The record of all limits, as this process has met it last. By client: a test has a Redis of its own, and the thread
# of the one before may still be asking.
_records: dict[redis.Redis, str] = {}
_bounds: dict[str, LocalBound] = {}
_bounds_lock = threading.Lock()


def business_central_gate(token_url: str, client_id: str) -> SlotGate:
    """5 at once and 6,000 in 5 minutes per user, which for us is an app registration."""
    scope = _scope("bc", token_url, client_id)
    return SlotGate("Business Central", scope, at_once=BC_AT_ONCE, quota=BC_QUOTA, window=BC_WINDOW)


def bigcommerce_gate(api_url: str, store_hash: str) -> HeaderGate:
    """What the headers of the last answers say is left of this store's quota, which all its apps share."""
    return HeaderGate("BigCommerce", _scope("bigcommerce", api_url, store_hash))


def woocommerce_gate(store_url: str) -> SlotGate:
    """A few calls at once per shop; it names no quota."""
    return SlotGate(
        "WooCommerce", _scope("woocommerce", store_url.rstrip("/").lower()), at_once=WOOCOMMERCE_AT_ONCE
    )


def pause(scope: str, seconds: float | None) -> float:
    """Stop all calls of this scope, in every process. None = the vendor named no time: longer each time.

    Answers the seconds that it will last. Redis away: it holds for this process only.
    """
    wait = -1 if seconds is None else round(seconds * 1000)
    arguments = [wait, round(FIRST_PAUSE * 1000), round(LONGEST_GROWN_PAUSE * 1000)]
    try:
        keys = [_key(scope, "pause"), _key(scope, "strikes")]
        return int(run_script(limit_scripts.PAUSE, keys, arguments)) / 1000
    except RedisAwayError:
        if scope in _bounds:
            _bounds[scope].pause(FIRST_PAUSE if seconds is None else seconds)
        return FIRST_PAUSE if seconds is None else seconds


def _consult(script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> tuple[str, int]:
    """The verdict and the milliseconds of a script that knows the record. Raises RedisAwayError.

    Where Redis has forgotten the limits, it is told first what this process knows of them.
    """

    def ask(redis_client: redis.Redis) -> tuple[str, int]:
        known = _records.get(redis_client, "")
        run = Script(redis_client, script)
        verdict, milliseconds, record = run([*keys, _RECORD_KEY], [*arguments, known])
        if verdict == "forgotten":
            _tell_all(redis_client)
        _records[redis_client] = record
        return verdict, int(milliseconds)

    return attempt(ask)


def _tell_all(redis_client: redis.Redis) -> None:
    """Of this process's places and calls at all vendors: others must know of them even if it makes none just now."""
    leases.renew()
    remember = Script(redis_client, limit_scripts.REMEMBER)
    for scope, bound in list(_bounds.items()):
        made = bound.remembered()
        for start in range(0, len(made), REMINDED_AT_ONCE):
            arguments: list[str | int] = [round(bound.window * 1000)]
            for seconds_ago, owner in made[start : start + REMINDED_AT_ONCE]:
                arguments += [round(seconds_ago * 1000), owner]
            remember([_key(scope, "calls")], arguments)


def _notice() -> None:
    """A process that makes no call just now notices, too."""
    _consult(limit_scripts.NOTICE, [], [uuid.uuid4().hex])


also_renewed.append(_notice)


class _SharedGate:
    """What the two kinds of limit have in common; a Gate of clients/http.py."""

    def __init__(self, vendor: str, scope: str, local: Callable[[], LocalBound]) -> None:
        self.vendor, self.scope = vendor, scope
        with _bounds_lock:
            if scope not in _bounds:
                _bounds[scope] = local()
            self._local = _bounds[scope]

    @contextmanager
    def enter(self, route: str, writes: bool) -> Iterator[None]:
        """Hold a place while one call is under way. Raises MustWait."""
        stopping.check()
        owner = uuid.uuid4().hex
        with ExitStack() as stack:
            try:
                self._take(owner)
                stack.callback(leases.release, owner)
            except RedisAwayError:
                metrics.limits_failed_open.labels(self.vendor).inc()
                stack.enter_context(self._local.place(self._reason("local bound")))
            yield

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """A 429, or an outage that says how long it will last, stops the whole fleet."""
        if status == 429:
            pause(self.scope, wait_asked(headers, status))
        elif status in (502, 503) and (wait := wait_asked(headers, status)) is not None:
            pause(self.scope, wait)

    def _take(self, owner: str) -> None:
        give_up = time.monotonic() + SPIN
        while True:
            verdict, milliseconds = self._ask(owner)
            if verdict == "forgotten":
                continue
            if verdict == "ok":
                leases.hold(owner, self._places)
                return
            seconds = milliseconds / 1000
            if verdict == "slots":
                seconds = _between(*NAP)
            if time.monotonic() + seconds > give_up:
                wait = _between(*SLOT_WAIT) if verdict == "slots" else seconds * _between(1.0, 1.1)
                metrics.limit_waits.labels(self.vendor, verdict).inc()
                metrics.limit_wait_seconds.labels(self.vendor).inc(wait)
                raise MustWait(wait, self._reason(verdict))
            time.sleep(min(seconds, 0.1))

    def _ask(self, owner: str) -> tuple[str, int]:
        """The verdict and its milliseconds. Raises RedisAwayError."""
        raise NotImplementedError

    @property
    def _places(self) -> str:
        return _key(self.scope, "places")

    def _reason(self, verdict: str) -> str:
        return f"{self.vendor} rate limit ({verdict})"


class SlotGate(_SharedGate):
    """So many calls at once, and where `quota` is set so many in a sliding window of `window` seconds."""

    def __init__(
        self,
        vendor: str,
        scope: str,
        *,
        at_once: int,
        quota: int = 0,
        window: float = 60.0,
        settle: float = SETTLE,
    ) -> None:
        self._at_once, self._quota, self._window, self._settle = at_once, quota, window, settle
        super().__init__(vendor, scope, lambda: LocalBound(max(1, at_once // 2), quota // 2, window))

    def _ask(self, owner: str) -> tuple[str, int]:
        doubt = self._local.used_lately() > self._quota // 100  # fewer are covered by the margin
        keys = [self._places, *(_key(self.scope, name) for name in ("calls", "doubted", "pause"))]
        numbers = [
            LEASE_MS,
            self._at_once,
            self._quota,
            round(self._window * 1000),
            round(self._settle * 1000),
        ]
        verdict, milliseconds = _consult(limit_scripts.ENTER_SLOTS, keys, [owner, *numbers, int(doubt)])
        if doubt and verdict not in ("pause", "forgotten"):  # those come before it is noted
            self._local.forget()
        if verdict == "ok" and self._quota:
            self._local.made(owner)
        return verdict, milliseconds


class HeaderGate(_SharedGate):
    """As many calls as the vendor's headers say are left; each call under way reserves one."""

    def __init__(self, vendor: str, scope: str) -> None:
        local = (4, BIGCOMMERCE_UNKNOWN, BIGCOMMERCE_WINDOW)
        super().__init__(vendor, scope, lambda: LocalBound(*local))

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """Take what the answer says is left, and when the window ends."""
        super().learn(status, headers)
        values = [_whole(headers.get(f"X-Rate-Limit-{name}")) for name in _HEADERS]
        values += [SAME_WINDOW_MS, int(status == 429)]
        try:
            run_script(limit_scripts.LEARN_HEADERS, [_key(self.scope, "state")], values)
        except RedisAwayError:
            return

    def _ask(self, owner: str) -> tuple[str, int]:
        keys = [self._places, _key(self.scope, "state"), _key(self.scope, "pause")]
        window, settle = round(BIGCOMMERCE_WINDOW * 1000), round(SETTLE * 1000)
        numbers = [LEASE_MS, BIGCOMMERCE_RESERVE, BIGCOMMERCE_UNKNOWN, window, settle]
        return _consult(limit_scripts.ENTER_HEADERS, keys, [owner, *numbers])


_HEADERS = ("Requests-Left", "Time-Reset-Ms", "Requests-Quota")


def _whole(value: str | None) -> int:
    """A header's number; -1 where it is missing or broken."""
    return int(value) if value is not None and value.isdecimal() and len(value) < 12 else -1


def _scope(*parts: str) -> str:
    return f"{parts[0]}:{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:24]}"


def _key(scope: str, name: str) -> str:
    return f"inventory-sync:limit:{{{scope}}}:{name}"


def _between(least: float, most: float) -> float:
    return random.uniform(least, most)  # noqa: S311 - a spread, no secret
