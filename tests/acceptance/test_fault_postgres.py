"""PostgreSQL fails in the middle of syncs and deliveries: what got a 200 is done, and soon all is right by itself.

This module has servers of its own, since it kills them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import cycle, islice
from typing import Any

import psycopg2
import pytest

from models.database import db
from tests.acceptance import own_servers
from tests.acceptance.knocking import Knocking, signed
from tests.acceptance.reckoning import reckon
from tests.acceptance.test_fault_vendors import assert_completed
from tests.acceptance.test_sync_kills import servers
from tests.acceptance.test_webhooks import ROLES
from tests.acceptance.trouble import PHASES, Town, ask_for_all, quicken, town
from tests.fleet import Fleet
from tests.flood import Answered, send_all
from tests.servers import OWNER, Servers

__all__ = ["servers"]

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
# Small at full size, too: what a sync takes by itself is no recovery.
BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS = (4_000, 600) if FULL_SIZE else (1_500, 300)
STRUCK = PHASES if FULL_SIZE else ("listing",)
SILENT_SECONDS = 10.0 if FULL_SIZE else 5.0
BREAKS = 5
BREAK_EVERY_SECONDS = 0.6
SMALL_POOL = "2"  # of threads twice as many, and more
FEW_CONNECTIONS = 3  # for four processes
FEW_SECONDS = 10.0 if FULL_SIZE else 3.0
CROWD, CROWD_CONNECTIONS = 60, 16  # deliveries at once: twice as many as a receiver has threads
ANSWER_SECONDS = 8.0  # 4 s for PostgreSQL, and what a busy machine takes


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Everything that takes part, with short leases and small pools of connections."""
    settings = {**quicken(environment, monkeypatch), "DATABASE_POOL_SIZE": SMALL_POOL}
    with Fleet(settings, ROLES) as running:
        yield running


def restart_fast(servers: Servers) -> None:
    """As `pg_ctl restart`: connections are ended with a word."""
    own_servers.restart(servers, "postgres", signal.SIGINT)


def restart_at_once(servers: Servers) -> None:
    """As `pg_ctl restart -m immediate`: it has to recover from its log."""
    own_servers.restart(servers, "postgres", signal.SIGQUIT)


def silence(servers: Servers) -> None:
    """It keeps its connections, takes new ones, and says nothing."""
    own_servers.silence(servers, "postgres", SILENT_SECONDS)


def break_connections(servers: Servers) -> None:
    """All our connections are ended at once, again and again."""
    for _ in range(BREAKS):
        assert terminate_ours(servers) > 0
        time.sleep(BREAK_EVERY_SECONDS)  # for some to come back


def run_out_of_connections(servers: Servers) -> None:
    """Our account may have few connections only: most processes find none."""
    as_admin(servers, f"ALTER ROLE {OWNER} CONNECTION LIMIT {FEW_CONNECTIONS}")
    try:
        terminate_ours(servers)
        time.sleep(FEW_SECONDS)  # the fault's length
    finally:
        as_admin(servers, f"ALTER ROLE {OWNER} CONNECTION LIMIT -1")


def terminate_ours(servers: Servers) -> int:
    """End all connections of the product's account; gives how many there were."""
    return len(
        as_admin(servers, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{OWNER}'")
    )


def as_admin(servers: Servers, statement: str) -> list[tuple[Any, ...]]:
    """One statement of the superuser's."""
    with closing(psycopg2.connect(servers.admin_url())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def crowd(port: int, place: Town) -> Iterator[list[Answered]]:
    """Many deliveries at the same time, sent as the block begins; their answers are there at its end."""
    kinds = [
        (site, sorted({row["product_id"] for row in shop.truth() if row["expected"] is not None}))
        for shop, site in place.sites.items()
    ]
    sent = [
        signed(site, products[number // len(kinds) % len(products)], f"crowd-{number}")
        for number, (site, products) in enumerate(islice(cycle(kinds), CROWD))
    ]
    answers: list[Answered] = []

    def send() -> None:
        answers.extend(send_all(port, sent, connections=CROWD_CONNECTIONS))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield answers
    finally:
        thread.join()


Fault = Callable[[Servers], None]
# Each alone at full size, several in a row where time is short.
FAULTS: list[tuple[Fault, ...]] = (
    [(restart_fast,), (restart_at_once,), (silence,), (break_connections,), (run_out_of_connections,)]
    if FULL_SIZE
    else [(silence, restart_fast), (break_connections, restart_at_once, run_out_of_connections)]
)


def name_of(faults: tuple[Fault, ...]) -> str:
    """As the report calls them."""
    return "+".join(fault.__name__ for fault in faults)


@pytest.mark.parametrize("phase", STRUCK)
@pytest.mark.parametrize("faults", FAULTS, ids=name_of)
def test_no_delivery_that_got_a_200_is_lost_whatever_postgresql_does(
    faults: tuple[Fault, ...], phase: str, servers: Servers, fleet: Fleet
) -> None:
    with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place:
        place.hold_when(phase)
        with Knocking(fleet.webhook_port, place.sites) as told:
            runs = ask_for_all()
            place.wait_until(phase)

            place.let_go()
            db.close_all()  # what follows is not about this process
            with crowd(fleet.webhook_port, place) as answers:
                for fault in faults:
                    fault(servers)
                since = time.monotonic()
        answers += told.answers

        reckon(f"PostgreSQL: {name_of(faults)}, {phase}", place.shops, since=since, answers=answers)
        assert_completed(runs)
        assert {answer.status for answer in answers} <= {200, 503}
        if faults == (silence,):
            assert 503 in {
                answer.status for answer in answers
            }  # told while it was silent, not when it was over
        assert max(answer.answered_at - answer.sent_at for answer in answers) < ANSWER_SECONDS
