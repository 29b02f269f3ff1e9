"""What Dramatiq holds in Redis: hints that wait, are worked on, come later, or that nobody wanted any more.

Only looked at. Hints are not the work: rm_queue is, and a hint that is lost is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from workers.broker import NAMESPACE
from workers.jobs import QUEUES
from workers.redis_client import attempt

MOST_PROCESSES = 500  # whose unacknowledged hints are counted
ALIVE_SECONDS = 60.0  # Dramatiq's own: it takes back what those hold whose last command is older


@dataclass(frozen=True, slots=True)
class HintQueue:
    """ready: a worker may take them. held: fetched, not acknowledged. delayed: due later. dead: too old, or failed."""

    name: str
    ready: int
    held: int
    delayed: int
    dead: int


@dataclass(frozen=True, slots=True)
class Redis:
    """queues: in the order of QUEUES. processes: which talk to Dramatiq's queues. seconds: since their last word."""

    queues: Sequence[HintQueue]
    processes: int
    seconds: float | None


def look() -> Redis:
    """How things stand in Redis. Raises RedisAwayError."""
    return attempt(_look)


def _look(client: redis.Redis) -> Redis:
    seconds, microseconds = client.time()
    now = seconds + microseconds / 1e6
    heard = cast(
        "list[tuple[str, float]]",
        client.zrange(f"{NAMESPACE}:__heartbeats__", 0, MOST_PROCESSES - 1, desc=True, withscores=True),
    )
    names = [name for name, _ in heard]
    # Scores are milliseconds since 1970 by the clock of whoever spoke.
    ages = [max(0.0, now - spoken / 1000) for _, spoken in heard]
    queues = [_queue(client, name, names) for name in QUEUES]
    return Redis(queues, sum(age < ALIVE_SECONDS for age in ages), min(ages, default=None))


def _queue(client: redis.Redis, name: str, processes: Sequence[str]) -> HintQueue:
    key = f"{NAMESPACE}:{name}"
    asked: Any = client.pipeline(transaction=False)
    asked.llen(key)
    asked.hlen(f"{key}.DQ.msgs")  # those that a worker keeps in hand until they are due, too
    asked.zcard(f"{key}.XQ")
    for process in processes:
        asked.scard(f"{NAMESPACE}:__acks__.{process}.{name}")
    ready, delayed, dead, *held = asked.execute()
    return HintQueue(name, ready, sum(held), delayed, dead)
