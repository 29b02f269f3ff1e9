"""Redis or PostgreSQL is away, on servers of this file's own: what the shop is told, and that nothing is lost."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest

from api.receiver.app import ANSWER_SECONDS
from models.database import db, execute, rows
from models.embedded import ensure
from models.embedded.postgres import Postgres
from models.migrate import migrate
from models.site import BIGCOMMERCE, WOOCOMMERCE, Site
from tests.conftest import void
from tests.deliveries import delivery, jobs, logged, path, site
from tests.fleet import Fleet, eventually
from tests.integration.embedded_help import kill
from tests.receivers import Gunicorn
from tests.servers import Servers
from workers import dispatcher
from workers.full_sync.requests import request_sync
from workers.redis_client import client as redis_client
from workers.webhooks import catch_up

CROWD = 20  # deliveries at the same time; a receiver has eight threads
AT_ONCE = 1.0  # seconds; it is a few milliseconds, on a machine that does other things too


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Servers that may be stopped without harm to any other test."""
    with Servers(migrate=lambda url: void(migrate(url))) as running:
        yield running


@pytest.fixture
def receiver(environment: dict[str, str]) -> Iterator[Gunicorn]:
    with Gunicorn(environment) as running:
        yield running


@pytest.fixture
def shops(database: str) -> list[Site]:
    return [site(BIGCOMMERCE), site(WOOCOMMERCE)]


def send(receiver: Gunicorn, to: Site, product_id: int) -> tuple[int, dict[str, str], float]:
    """Status, headers, and the seconds that it took."""
    began = time.monotonic()
    status, headers, _ = receiver.post(path(to), *delivery(to, product_id))
    return status, headers, time.monotonic() - began


@contextmanager
def silent(pid: int) -> Iterator[None]:
    """A process that is there and says nothing, nor does what it has started."""
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    for member in family:
        os.kill(member, signal.SIGSTOP)
    try:
        yield
    finally:
        for member in reversed(family):
            os.kill(member, signal.SIGCONT)


@contextmanager
def dead_redis(servers: Servers) -> Iterator[None]:
    kill(servers.runtime.pids["valkey"])
    try:
        yield
    finally:
        ensure(servers.runtime.data_dir, durable=False)


@contextmanager
def stopped_postgresql(servers: Servers) -> Iterator[None]:
    db.close_all()
    assert Postgres(servers.runtime.data_dir).stop()
    try:
        yield
    finally:
        ensure(servers.runtime.data_dir, durable=False)


def runs() -> list[tuple[int, str]]:
    return rows("SELECT site_id, status FROM rm_sync_runs ORDER BY site_id")


def owed() -> set[int]:
    return {int(member) for member in redis_client().smembers(catch_up.KEY)}


def test_without_redis_deliveries_are_answered_as_ever_and_done_once_it_is_back(
    receiver: Gunicorn, environment: dict[str, str], servers: Servers, shops: list[Site]
) -> None:
    runtime = ensure(servers.runtime.data_dir, durable=False)
    with silent(runtime.pids["valkey"]):
        quiet = [send(receiver, to, product_id) for product_id in range(1, 11) for to in shops]
    with dead_redis(servers):
        gone = [send(receiver, to, product_id) for product_id in range(11, 21) for to in shops]

    for answers in (quiet, gone):
        assert {status for status, _, _ in answers} == {200}
        assert statistics.median(seconds for _, _, seconds in answers) < AT_ONCE / 4
        assert max(seconds for _, _, seconds in answers) < 2 * AT_ONCE
    assert set(jobs()) == {("pending",)}
    execute("UPDATE rm_sites SET active = false")  # so that the work is done without a shop
    with Fleet(environment, ["worker-webhooks", "dispatcher"]):
        eventually(
            lambda: jobs() == [("completed",)] * 40 and set(logged()) == {("ignored",)},
            seconds=60,
            what="the end of all jobs",
        )


def test_without_postgresql_every_answer_is_503_at_once_and_then_each_site_is_synced_once(
    receiver: Gunicorn, servers: Servers, shops: list[Site]
) -> None:
    assert [send(receiver, to, 1)[0] for to in shops] == [200, 200]

    with stopped_postgresql(servers):
        answers = [send(receiver, to, product_id) for product_id in range(2, 10) for to in shops]

    assert {status for status, _, _ in answers} == {503}
    assert all(int(headers["retry-after"]) > 0 for _, headers, _ in answers)
    assert statistics.median(seconds for _, _, seconds in answers) < AT_ONCE / 4
    assert max(seconds for _, _, seconds in answers) < AT_ONCE
    eventually(lambda: len(runs()) == 2 and not owed(), seconds=30, what="the catch-up syncs")
    eventually(lambda: send(receiver, shops[0], 10)[0] == 200, seconds=10, what="the first 200")
    assert send(receiver, shops[1], 10)[0] == 200
    dispatcher.turn(heal=True)  # which looks for what dead receivers owed
    assert runs() == [(to.id, "queued") for to in shops]
    told = rows("SELECT DISTINCT requested_by FROM rm_sync_runs")
    assert told == [("webhooks that were turned away without PostgreSQL",)]


def test_a_postgresql_that_hangs_is_503_in_time_and_then_at_once(
    receiver: Gunicorn, servers: Servers, shops: list[Site]
) -> None:
    assert [send(receiver, to, 1)[0] for to in shops] == [200, 200]

    runtime = ensure(servers.runtime.data_dir, durable=False)
    with silent(runtime.pids["postgres"]), ThreadPoolExecutor(CROWD) as crowd:
        # More at once than the receiver has threads, on connections that it has and on new ones.
        first = list(crowd.map(lambda number: send(receiver, shops[number % 2], number), range(2, CROWD + 2)))
        then = [send(receiver, to, 100) for to in shops]

    assert {status for status, _, _ in first + then} == {503}
    assert all(int(headers["retry-after"]) > 0 for _, headers, _ in first + then)
    assert max(seconds for _, _, seconds in first) < ANSWER_SECONDS + AT_ONCE * 2
    assert min(seconds for _, _, seconds in then) < AT_ONCE  # one of the two may have asked again
    eventually(lambda: send(receiver, shops[0], 200)[0] == 200, seconds=10, what="the first 200")
    eventually(lambda: len(runs()) == 2 and not owed(), seconds=30, what="the catch-up syncs")


def test_what_a_receiver_owed_that_died_meanwhile_is_asked_for_by_the_dispatcher(
    receiver: Gunicorn, servers: Servers, shops: list[Site]
) -> None:
    assert send(receiver, shops[0], 1)[0] == 200
    execute("UPDATE rm_sites SET active = false WHERE id = %s", (shops[1].id,))
    with stopped_postgresql(servers):
        assert {send(receiver, to, 2)[0] for to in shops} == {503}
        assert receiver.post("/webhooks/woocommerce/987654", b"{}", {})[0] == 503  # perhaps there is one
        receiver.kill()

    assert owed() == {*(to.id for to in shops), 987654}
    dispatcher.turn(heal=True)
    dispatcher.turn(heal=True)

    assert runs() == [(shops[0].id, "queued")]  # the other is paused: it will be synced when it is resumed
    assert owed() == set()


def test_without_both_it_is_503_at_once_too_and_the_receiver_itself_remembers(
    receiver: Gunicorn, servers: Servers, shops: list[Site]
) -> None:
    assert send(receiver, shops[0], 1)[0] == 200
    runtime = ensure(servers.runtime.data_dir, durable=False)
    with stopped_postgresql(servers), silent(runtime.pids["valkey"]):
        answers = [send(receiver, shops[0], product_id) for product_id in range(2, 8)]

    assert {status for status, _, _ in answers} == {503}
    assert statistics.median(seconds for _, _, seconds in answers) < AT_ONCE / 4
    eventually(lambda: runs() == [(shops[0].id, "queued")], seconds=30, what="the catch-up sync")


def test_what_is_turned_away_while_its_sync_is_asked_for_is_owed_anew(
    shops: list[Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    debts = catch_up.Debts()
    ask = catch_up.request_sync

    def ask_while_another_is_turned_away(site_id: int, **options: object) -> object:
        found = ask(site_id, **options)  # type: ignore[arg-type]
        debts.owe(site_id)
        return found

    monkeypatch.setattr(catch_up, "request_sync", ask_while_another_is_turned_away)
    debts.owe(shops[0].id)
    assert debts.settle() == 1
    monkeypatch.undo()

    assert owed() == {shops[0].id}
    assert debts.settle() == 1
    assert (debts.settle(), owed()) == (0, set())


def test_what_could_not_be_asked_for_stays_owed(
    servers: Servers, shops: list[Site], environment: dict[str, str]
) -> None:
    debts = catch_up.Debts()
    for to in shops:
        debts.owe(to.id)
    execute("ALTER TABLE rm_sync_runs RENAME TO gone_for_now")
    with pytest.raises(Exception, match="rm_sync_runs"):
        debts.settle()
    execute("ALTER TABLE gone_for_now RENAME TO rm_sync_runs")

    assert owed() == {to.id for to in shops}
    assert debts.settle() == 2
    assert len(runs()) == 2


def test_a_run_that_lists_the_shop_already_is_too_early_to_make_up_for_it(shops: list[Site]) -> None:
    first = request_sync(shops[0].id, requested_by="test")
    debts = catch_up.Debts()
    debts.owe(shops[0].id)
    assert debts.settle() == 1
    assert runs() == [(shops[0].id, "queued")]  # it has not begun, and will see the shop as it is then
    execute("UPDATE rm_sync_runs SET status = 'running', step = 'list', list_started_at = now()")

    debts.owe(shops[0].id)
    debts.settle()
    debts.owe(shops[0].id)
    debts.settle()

    assert rows("SELECT id = %s, status FROM rm_sync_runs ORDER BY id", (first.run_id,)) == [
        (True, "running"),
        (False, "queued"),
    ]
