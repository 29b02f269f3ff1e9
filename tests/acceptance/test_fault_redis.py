"""Redis fails in the middle of syncs and deliveries: each is answered, none is lost, and soon all is right by itself.

This module has servers of its own, since it kills them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from tests.acceptance import own_servers
from tests.acceptance.knocking import Knocking
from tests.acceptance.reckoning import reckon
from tests.acceptance.test_fault_vendors import assert_completed
from tests.acceptance.test_sync_kills import servers
from tests.acceptance.test_webhooks import ROLES
from tests.acceptance.trouble import PHASES, ask_for_all, quicken, town
from tests.fleet import Fleet
from tests.resetting_proxy import ResettingProxy
from tests.servers import Servers

__all__ = ["servers"]

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
# Small at full size, too: what a sync takes by itself is no recovery.
BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS = (4_000, 600) if FULL_SIZE else (1_500, 300)
STRUCK = PHASES if FULL_SIZE else ("listing",)
SILENT_SECONDS = 10.0 if FULL_SIZE else 5.0
RESETS = 5
RESET_EVERY_SECONDS = 0.6
ANSWER_SECONDS = SILENT_SECONDS - 1  # nobody waits for Redis; alone, an answer takes a few milliseconds


@pytest.fixture
def proxy(servers: Servers) -> Iterator[ResettingProxy]:
    """What stands between the fleet and Valkey."""
    port = urlsplit(servers.runtime.redis_url).port
    assert port is not None
    with ResettingProxy(port) as running:
        yield running


@pytest.fixture
def fleet(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, proxy: ResettingProxy
) -> Iterator[Fleet]:
    """Everything that takes part, with short leases; Redis is reached through the proxy."""
    url = urlsplit(environment["REDIS_URL"])
    through = urlunsplit(url._replace(netloc=url.netloc.replace(f":{url.port}", f":{proxy.port}")))
    with Fleet({**quicken(environment, monkeypatch), "REDIS_URL": through}, ROLES) as running:
        yield running


def flush(servers: Servers, _: ResettingProxy) -> None:
    """Redis forgets everything."""
    with redis.Redis.from_url(servers.runtime.redis_url) as client:
        client.flushall()


def restart_empty(servers: Servers, _: ResettingProxy) -> None:
    """Redis dies, and comes back without what it knew: the tests' server keeps nothing on disk."""
    own_servers.restart(servers, "valkey", signal.SIGKILL)


def silence(servers: Servers, _: ResettingProxy) -> None:
    """Redis keeps its connections and says nothing."""
    own_servers.silence(servers, "valkey", SILENT_SECONDS)


def reset(_: Servers, proxy: ResettingProxy) -> None:
    """All connections break at once, again and again."""
    for _number in range(RESETS):
        assert proxy.reset_all() > 0
        time.sleep(RESET_EVERY_SECONDS)  # for some to come back


Fault = Callable[[Servers, ResettingProxy], None]
# Each alone at full size, all in a row where time is short.
FAULTS: list[tuple[Fault, ...]] = (
    [(flush,), (restart_empty,), (silence,), (reset,)]
    if FULL_SIZE
    else [(flush, silence, reset, restart_empty)]
)


def name_of(faults: tuple[Fault, ...]) -> str:
    """As the report calls them."""
    return "+".join(fault.__name__ for fault in faults)


@pytest.mark.parametrize("phase", STRUCK)
@pytest.mark.parametrize("faults", FAULTS, ids=name_of)
def test_nothing_is_lost_whatever_redis_does(
    faults: tuple[Fault, ...], phase: str, servers: Servers, proxy: ResettingProxy, fleet: Fleet
) -> None:
    with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place:
        place.hold_when(phase)
        with Knocking(fleet.webhook_port, place.sites) as told:
            runs = ask_for_all()
            place.wait_until(phase)

            place.let_go()
            for fault in faults:
                fault(servers, proxy)
            since = time.monotonic()

        reckon(f"Redis: {name_of(faults)}, {phase}", place.shops, since=since, answers=told.answers)
        assert_completed(runs)
        assert {answer.status for answer in told.answers} == {200}  # the ledger was there all the time
        assert max(answer.answered_at - answer.sent_at for answer in told.answers) < ANSWER_SECONDS
