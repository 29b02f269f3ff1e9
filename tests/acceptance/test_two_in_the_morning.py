"""2 AM: hundreds of shops fall due at once on one machine, and the shops that are open then don't notice."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from models.database import execute, row, rows
from models.site import Site
from tests.acceptance.passing_trade import OpenShop, PassingTrade, percentile, seconds_to_effect
from tests.acceptance.spent import Spent
from tests.deliveries import SECRET
from tests.fleet import PRODUCTION, Fleet, eventually
from tests.integration.schedule.nights import LONG_AGO, change
from tests.places import bigcommerce_site, company, wait_for_run, woocommerce_site
from tests.servers import Servers
from tests.simulators.handles import BigCommerceHandle, ShopHandle, SimulatorHandle, WooCommerceHandle
from tests.simulators.process import Simulators
from workers import clock
from workers.broker import broker
from workers.full_sync.requests import request_sync
from workers.occasions import FULL_SYNC
from workers.schedule import declare_tick

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
COMPANIES = 2
SHOPS = 50 if FULL_SIZE else 3  # that are due, of each platform, of each company
SKUS = 1_000 if FULL_SIZE else 150  # of each shop
LANDING = (1.0, 10.0) if FULL_SIZE else (0.2, 1.0)  # seconds until a BigCommerce store shows a write
NIGHT_SECONDS = 1_200 if FULL_SIZE else 90
TRADE_SECONDS = 0.25  # between two things that happen in the open shops
P99_SECONDS = 1.0 if FULL_SIZE else 5.0  # in CI other tests have the machine, too
NIGHT = "requested_by = 'schedule'"

AnyShop = BigCommerceHandle | WooCommerceHandle


@dataclass(frozen=True)
class Town:
    """A company in a process of its own, with the shops that are due and, of each platform, one that is open."""

    simulators: Simulators
    due: dict[ShopHandle, Site]
    open: dict[AnyShop, Site]


@contextmanager
def town(seed: int) -> Iterator[Town]:
    """Start the simulators, and make the rows."""
    with Simulators.start(
        seed=seed,
        bc_items=SKUS + SKUS // 4,
        bigcommerce=SHOPS + 1,
        woocommerce=SHOPS + 1,
        bigcommerce_skus=SKUS,
        woocommerce_skus=SKUS,
    ) as simulators:
        owner = company(simulators.bc, name=f"Company {seed}")
        *stores, open_store = simulators.bigcommerce
        *shops, open_shop = simulators.woocommerce
        due: dict[ShopHandle, Site] = {}
        for store in stores:
            store.set_landing(*LANDING)
            due[store] = bigcommerce_site(
                owner, store, channel_ids=store.channel_ids, full_sync_since=LONG_AGO
            )
        for shop in shops:
            due[shop] = woocommerce_site(owner, shop, full_sync_since=LONG_AGO)
        open_store.set_landing(0, 0)
        # They have no night: it would set right what they sell meanwhile.
        telling = {"webhook_secret": SECRET, "webhook_proofs": ["signature"], "full_sync_enabled": False}
        opened: dict[AnyShop, Site] = {
            open_store: bigcommerce_site(owner, open_store, channel_ids=open_store.channel_ids, **telling),
            open_shop: woocommerce_site(owner, open_shop, **telling),
        }
        yield Town(simulators, due, opened)


@pytest.mark.timeout(1800)
def test_webhooks_are_as_quick_as_ever_while_hundreds_of_other_shops_are_synced_at_two_in_the_morning(
    environment: dict[str, str], servers: Servers
) -> None:
    loud = {**environment, "LOG_LEVEL": "INFO"}  # as in production
    with ExitStack() as stack, Fleet(loud, PRODUCTION, by_procfile=True) as fleet:
        towns = [stack.enter_context(town(seed)) for seed in range(1, COMPANIES + 1)]
        open_shops = brought_into_sync(towns)
        for place in towns:
            place.simulators.reset()
        spent = Spent(fleet, [place.simulators for place in towns], servers)
        began = time.monotonic()
        with PassingTrade(fleet.webhook_port, open_shops, TRADE_SECONDS) as trade:
            let_it_be_two()
            wait_for_the_night(sum(len(place.due) for place in towns))
            seconds = time.monotonic() - began
            said = str(spent)
        wait_for_all_webhooks()

        effects = sorted(seconds_to_effect(trade.told))
        tell(towns, seconds, effects)
        print(said, flush=True)  # noqa: T201 - `make soak` shows it
        assert_all_have_been_synced(towns)
        assert_each_company_was_read_once(towns)
        for place in towns:
            for simulator in place.simulators.all():
                assert_no_limit_was_broken(simulator)
        assert {told.status for told in trade.told} == {200}
        assert effects[-1] < math.inf, "each webhook has its effect"
        assert percentile(effects, 99) < P99_SECONDS


def brought_into_sync(towns: Sequence[Town]) -> list[OpenShop]:
    """The open shops, right before the night."""
    sites = {shop: site for place in towns for shop, site in place.open.items()}
    run_ids = [request_sync(site.id, requested_by="test").run_id for site in sites.values()]
    assert {wait_for_run(run_id).status for run_id in run_ids} == {"completed"}
    return [OpenShop.of(shop, site) for shop, site in sites.items()]


def let_it_be_two() -> None:
    """A scheduler's minute turns, and the schedule's zone is one in which it has struck two within the hour.

    Everybody has known that zone for long: a night that comes due before a change doesn't count.
    """
    west = (clock.now().hour - 2) % 24
    zone = f"Etc/GMT+{west}" if west <= 12 else f"Etc/GMT-{24 - west}"
    change(LONG_AGO, timezone=zone)
    execute(
        "INSERT INTO rm_schedules (name, zone, time, since) VALUES (%s, %s, '02:00', now() - interval '3 hours')"
        " ON CONFLICT (name) DO UPDATE SET zone = excluded.zone, since = excluded.since",
        (FULL_SYNC, zone),
    )
    declare_tick(broker(worker=False)).send()


def wait_for_the_night(sites: int) -> None:
    """Wait until each of so many sites has had its run."""
    finished = f"SELECT count(*) FROM rm_sync_runs WHERE {NIGHT} AND finished_at IS NOT NULL"
    eventually(
        lambda: row(finished) == (sites,), seconds=NIGHT_SECONDS, every=0.5, what="the end of the night"
    )


def wait_for_all_webhooks() -> None:
    """Wait until nothing that was told is still to be done; what only confirms a write later may wait."""
    waiting = (
        "SELECT 1 FROM rm_webhook_log WHERE status = 'received' UNION ALL"
        " SELECT 1 FROM rm_queue WHERE queue = 'webhooks' AND status IN ('pending', 'processing')"
        " AND available_at <= now() LIMIT 1"
    )
    eventually(lambda: not rows(waiting), seconds=60, what="the end of all webhooks")


def assert_all_have_been_synced(towns: Sequence[Town]) -> None:
    """Every run of the night is right, and so is every SKU of every shop that was due."""
    sites = sum(len(place.due) for place in towns)
    ended = f"SELECT status, error, failed::text, count(*) FROM rm_sync_runs WHERE {NIGHT} GROUP BY 1, 2, 3"
    assert rows(ended) == [("completed", None, "{}", sites)]
    for place in towns:
        for shop in place.due:
            found = shop.wait_until_landed()
            assert found.correct, (shop.name, found.wrong_rows, found.touched_rows)


def assert_each_company_was_read_once(towns: Sequence[Town]) -> None:
    """One scan of a page a company, however many shops; what webhooks ask for single numbers is beside it."""
    read = "SELECT count(*), count(DISTINCT refresh_id) FROM rm_sync_runs WHERE " + NIGHT
    assert row(read) == (sum(len(place.due) for place in towns), len(towns))
    for place in towns:
        seen = [call["target"] for call in place.simulators.bc.requests_seen() if "/items?" in call["target"]]
        assert len([target for target in seen if "filter" not in target]) == 1, seen


def assert_no_limit_was_broken(simulator: SimulatorHandle) -> None:
    """Nothing that a client could have known, and not one 429."""
    counts = simulator.counts()
    assert counts["violations"] == {}, (simulator.name, counts["examples"])
    assert not any("429" in statuses for statuses in counts["statuses"].values()), (simulator.name, counts)


def tell(towns: Sequence[Town], seconds: float, effects: Sequence[float]) -> None:
    """Print how long it took all of them."""
    sites = sum(len(place.due) for place in towns)
    found = row(f"SELECT sum(pushed)::bigint, sum(calls)::bigint FROM rm_sync_runs WHERE {NIGHT}")
    assert found is not None
    print(  # noqa: T201 - `make soak` shows it
        f"\n2 AM, {sites} shops of {SKUS:,} SKUs: {seconds:.0f} s, {sites * SKUS / seconds:,.0f} SKUs a second,"
        f" {found[0]:,} written, {found[1]:,} calls"
        f"\n{len(effects):,} webhooks of {2 * len(towns)} other shops meanwhile, from sending to effect:"
        f" median {percentile(effects, 50):.3f} s, 95th percentile {percentile(effects, 95):.3f} s,"
        f" 99th {percentile(effects, 99):.3f} s, longest {effects[-1]:.3f} s; load {os.getloadavg()[1]:.1f}"
    )
