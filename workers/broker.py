"""The Dramatiq side: a broker on Redis, one actor a queue, messages that carry a job's id."""

from __future__ import annotations

from functools import cache

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, ShutdownNotifications
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from models.config import settings
from workers.handing_back import HandsBack
from workers.hints import hints
from workers.jobs import QUEUES
from workers.liveness import Liveness, SigningBroker, SigningRetry

NAMESPACE = "inventory-sync"
MAINTENANCE_CHANCE = 50_000  # in a million commands: a killed worker's messages come back in seconds (design)
WORKER_SOCKET_SECONDS = 20.0  # redis-py's 5 s strands messages in a worker (design)
WORKER_RETRIES = 6
SENDER_SOCKET_SECONDS = 0.2  # a request that asks for work must not wait for Redis
# An old hint is worth nothing: the dispatcher has sent another. But two machines' clocks tell its age: a worker whose
# clock is ahead by more than this would drop them all.
MESSAGE_AGE_MS = 3_600_000


def _client(*, worker: bool) -> redis.Redis:
    url = settings().redis_url or ""
    if not worker:
        return redis.Redis.from_url(
            url,
            socket_timeout=SENDER_SOCKET_SECONDS,
            socket_connect_timeout=SENDER_SOCKET_SECONDS,
            retry=Retry(ExponentialBackoff(), 0),
        )
    return redis.Redis.from_url(
        url,
        socket_timeout=WORKER_SOCKET_SECONDS,
        socket_connect_timeout=WORKER_SOCKET_SECONDS,
        socket_keepalive=True,
        health_check_interval=15,
        retry=SigningRetry(ExponentialBackoff(cap=2, base=0.1), WORKER_RETRIES),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError],
    )


@cache
def broker(*, worker: bool) -> RedisBroker:
    """The broker of this process; `worker` chooses patience (a worker) or haste (whoever only sends)."""
    own: list[dramatiq.Middleware] = [Liveness(), HandsBack()] if worker else []
    made = (SigningBroker if worker else RedisBroker)(
        client=_client(worker=worker),
        namespace=NAMESPACE,
        maintenance_chance=MAINTENANCE_CHANCE,
        middleware=[AgeLimit(max_age=MESSAGE_AGE_MS), ShutdownNotifications(), *own],
    )
    for queue in QUEUES:
        made.declare_queue(queue)
    dramatiq.set_broker(made)
    return made


def actor_name(queue: str) -> str:
    """The actor that works on a queue."""
    return f"work_on_{queue}"


def send_through(made: RedisBroker) -> None:
    """Let this process send its hints."""

    def send(queue: str, job_id: int) -> None:
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=queue, actor_name=actor_name(queue), args=(job_id,), kwargs={}, options={}
        )
        made.enqueue(message)

    hints.use(send)


def connect_sender() -> None:
    """For processes that ask for work but do none: web, webhooks, command line."""
    send_through(broker(worker=False))
