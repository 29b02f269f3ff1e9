"""SIGTERM under load, as in every rollout: what was accepted is answered, what was held is done or free at once.

Leases are as long as in production: whatever waited for one would be late.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg2
import pytest

from models.config import Settings, settings
from models.database import row, rows
from models.site import BIGCOMMERCE
from tests.acceptance.trouble import Town, ask_for_all, assert_all_right, town
from tests.deliveries import bigcommerce_body, bigcommerce_headers, path, site
from tests.fleet import eventually, free_port
from tests.pods import Pod, prefix
from tests.simulators.handles import BigCommerceHandle
from workers import stopping, tokens

GRACE_SECONDS = 30  # less than every role has in k8s/base, and than a job's lease
LEASE_SECONDS = Settings.model_fields["job_lease_seconds"].default
THREADS = 8  # of a web server, by the Procfile
WAITING = 12  # requests under way: some are still in its queue
WORKING = ("worker-sync", "worker-webhooks", "dispatcher", "scheduler", "webhook")
SLOW_MS = 400
NOT_YET_DUE = """
    SELECT kind, error FROM rm_queue
    WHERE status = 'pending' AND error LIKE %s AND available_at > now() + interval '2 s'
"""


def test_a_receiver_answers_every_delivery_that_it_has_accepted(environment: dict[str, str]) -> None:
    to = site(BIGCOMMERCE)

    def deliver(port: int, number: int) -> int:
        body = bigcommerce_body(number)
        return answer(port, "POST", path(to), body, bigcommerce_headers(body))

    with Pod("webhook", environment) as pod:
        assert codes_of_an_ending(pod, "rm_webhook_log", deliver) == [200] * WAITING
    assert row("SELECT count(*) FROM rm_webhook_log WHERE status = 'received'") == (WAITING,)


def test_the_api_answers_every_request_that_it_has_accepted(environment: dict[str, str]) -> None:
    text = token()

    def ask(port: int, _: int) -> int:
        return answer(port, "GET", "/api/v1/sites", None, {"Authorization": f"Bearer {text}"})

    with Pod("web", environment) as pod:
        assert codes_of_an_ending(pod, "rm_api_tokens", ask) == [200] * WAITING


def test_all_roles_that_end_at_once_leave_nothing_to_a_lease(environment: dict[str, str]) -> None:
    """As when the only node is drained: every role ends in the middle of syncs and webhooks, and starts again."""
    with town() as place:
        with pods(environment) as first:
            runs = under_load(place, first["webhook"])
            for pod in first.values():
                pod.term()
            codes = {role: pod.ended(GRACE_SECONDS) for role, pod in first.items()}

            assert codes == dict.fromkeys(WORKING, 0)
            assert rows("SELECT id, kind, error FROM rm_queue WHERE status = 'processing'") == []
            assert rows("SELECT store_key FROM rm_store_leases") == []
            assert row("SELECT count(*) > 0 FROM rm_queue WHERE status = 'pending'") == (True,)
            assert rows(NOT_YET_DUE, (f"%{stopping.REASON}%",)) == []
        place.let_go()
        began = time.monotonic()
        with pods(environment):
            assert_all_right(place.shops, runs)
            eventually(nothing_open, seconds=LEASE_SECONDS, what="the end of all deliveries")
        assert time.monotonic() - began < LEASE_SECONDS


def test_a_job_that_hangs_is_free_before_its_worker_is_gone(environment: dict[str, str]) -> None:
    """Its call has long passed every deadline of a write; another worker takes it while this one still waits."""
    quick = {**environment, "WRITE_DEADLINE_SECONDS": "1"}
    with town(100, 100) as place, Pod("worker-sync", quick) as pod, Pod("dispatcher", quick):
        place.simulators.bc.set_latency(20_000)
        ask_for_all()
        eventually(lambda: len(asking_bc()) == 1, seconds=60, what="a job that hangs")
        (job,) = asking_bc()

        pod.term()

        given_back = ("pending", stopping.REASON, 0)
        eventually(
            lambda: row("SELECT status, error, attempts FROM rm_queue WHERE id = %s", job) == given_back,
            seconds=GRACE_SECONDS,
            what="a job given back",
        )
        assert pod.runs


@pytest.mark.parametrize("role", ["scheduler", "dispatcher"])
def test_what_only_looks_ends_at_once_without_redis_too(role: str, environment: dict[str, str]) -> None:
    away = {**environment, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "LOG_LEVEL": "INFO"}
    with Pod(role, away) as pod:
        pod.say_when(f"{role} started")

        pod.term()

        assert pod.ended(10) == 0
        assert f"{role} stopped" in pod.log()


def test_these_tests_run_roles_as_process_1() -> None:
    """Else a program without a handler for SIGTERM would seem to end."""
    assert prefix()


@contextmanager
def pods(environment: dict[str, str]) -> Iterator[dict[str, Pod]]:
    """All roles that work, ready."""
    with ExitStack() as stack:
        made = {role: stack.enter_context(Pod(role, environment)) for role in WORKING}
        eventually(lambda: listens(made["webhook"].port), seconds=60, what="the receiver")
        yield made


def under_load(place: Town, receiver: Pod) -> list[int]:
    """Syncs of all shops that are pushing, slowly, and webhooks that come meanwhile; the runs' ids."""
    shop, to = next(iter(place.sites.items()))
    assert isinstance(shop, BigCommerceHandle)
    shop.add_hook("store/product/*", f"http://127.0.0.1:{receiver.port}/webhooks/bigcommerce/{to.id}")
    place.hold_when("pushing")
    runs = ask_for_all()
    place.wait_until("pushing")
    for one in place.shops:
        one.set_latency(SLOW_MS)
    for found in shop.truth()[:40]:
        shop.emit("store/product/updated", product_id=found["product_id"])
    delivered = "SELECT count(*) > 10 FROM rm_webhook_log"
    eventually(lambda: row(delivered) == (True,), seconds=30, what="deliveries")
    return runs


def codes_of_an_ending(pod: Pod, table: str, ask: Callable[[int, int], int]) -> list[int]:
    """The answers to requests that were all under way, held up by PostgreSQL, when SIGTERM came."""
    eventually(lambda: listens(pod.port), seconds=60, every=0.05, what=pod.role)
    ask_once = ThreadPoolExecutor(WAITING)
    with locked(table) as lock, ask_once:
        asked: list[Future[int]] = [
            ask_once.submit(ask, pod.port, number) for number in range(1, WAITING + 1)
        ]
        eventually(lambda: lock.waiting() >= THREADS, seconds=30, every=0.02, what="requests under way")
        pod.term()
        pod.say_when("Handling signal: term")
        lock.let_go()
        codes = [one.result(timeout=GRACE_SECONDS) for one in asked]
    assert pod.ended(GRACE_SECONDS) == 0
    return codes


class Lock:
    """A table that nobody else can read."""

    def __init__(self, table: str) -> None:
        self._connection = psycopg2.connect(settings().database_url or "")
        with self._connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

    def waiting(self) -> int:
        """How many sessions wait for it."""
        found = row("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        assert found is not None
        return int(found[0])

    def let_go(self) -> None:
        """They go on."""
        self._connection.close()


@contextmanager
def locked(table: str) -> Iterator[Lock]:
    """The table locked until `let_go`, or the end of the block."""
    lock = Lock(table)
    try:
        yield lock
    finally:
        lock.let_go()


def answer(port: int, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> int:
    """The status of one request over a connection of its own. Raises where none comes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GRACE_SECONDS)
    try:
        connection.request(method, target, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def token() -> str:
    """Of the API."""
    return tokens.create("endings", "read")[1]


def asking_bc() -> list[tuple[int]]:
    """The jobs that have waited for BC for a while."""
    return rows(
        "SELECT id FROM rm_queue WHERE status = 'processing' AND refresh_id IS NOT NULL"
        " AND started_at < now() - interval '1 s'"
    )


def nothing_open() -> bool:
    """Whether every delivery and every job has come to its end."""
    return not rows(
        "SELECT 1 FROM rm_webhook_log WHERE status = 'received'"
        " UNION ALL SELECT 1 FROM rm_queue WHERE status IN ('pending', 'processing') LIMIT 1"
    )
