"""All the time some process dies, while shops are synced, sell, and send webhooks: nothing is lost, all ends right."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from models.database import rows
from models.site import BIGCOMMERCE
from tests.acceptance.knocking import signed
from tests.acceptance.meanwhile import Meanwhile
from tests.acceptance.reckoning import RECOVERY_SECONDS, reckon
from tests.acceptance.trouble import Town, quicken, town
from tests.fleet import Fleet
from tests.flood import Vendors
from tests.simulators.handles import BigCommerceHandle, ShopHandle, WooCommerceHandle
from workers.full_sync.requests import request_sync

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
ROLES = ("worker-sync", "worker-webhooks", "dispatcher", "scheduler", "webhook")
SEED = int(os.environ.get("SOAK_SEED") or random.randrange(10_000))
CONNECTIONS = 16
SETTLE_SECONDS = 60.0  # of a real BigCommerce store, and of the production settings
STOCK = (50, 500)  # what BC is told to hold: never so little that a shop sells out
CHANGED_AT_ONCE = 20  # SKUs in BC


@dataclass(frozen=True)
class Size:
    """seconds: of fire; the deliveries are spread over them. pauses: seconds between two deaths."""

    bigcommerce_skus: int
    woocommerce_skus: int
    deliveries: int
    seconds: float
    pauses: tuple[float, float]


SMALL = Size(2_000, 300, 300, seconds=12, pauses=(0.6, 1.6))
FULL = Size(20_000, 5_000, 2_000, seconds=180, pauses=(3.0, 6.0))
LEASES = ["quick", "production"] if FULL_SIZE else ["quick"]
WITHIN = {"quick": RECOVERY_SECONDS, "production": RECOVERY_SECONDS + SETTLE_SECONDS}


class Killer(Meanwhile):
    """Kills one process after the other until the block ends, and starts each again at once, as Kubernetes would.

    Each role dies once a round, in an order drawn anew.
    """

    def __init__(self, fleet: Fleet, pauses: tuple[float, float]) -> None:
        super().__init__()
        self._fleet, self._pauses = fleet, pauses
        self._random = random.Random(SEED)
        self.deaths: Counter[str] = Counter()

    def _run(self) -> None:
        round_: list[str] = []
        while not self._closing.wait(self._random.uniform(*self._pauses)):
            round_ = round_ or self._random.sample(ROLES, len(ROLES))
            role = round_.pop()
            if role == "webhook" and not self._fleet.receiver_listens():
                continue  # on a slow machine it would never come up, and no delivery get through
            self._fleet.restart(role)
            self.deaths[role] += 1


@pytest.fixture(params=LEASES)
def leases(request: pytest.FixtureRequest) -> str:
    """`quick`, or as in production."""
    name: str = request.param
    return name


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, leases: str) -> Iterator[Fleet]:
    """Everything that works in production."""
    values = quicken(environment, monkeypatch) if leases == "quick" else environment
    with Fleet(values, ROLES) as running:
        yield running


@pytest.mark.timeout(900)
def test_whatever_dies_while_shops_sync_and_sell_all_ends_right(fleet: Fleet, leases: str) -> None:
    """Recovery takes a minute at most. With the production settings BigCommerce's settle time comes on top.

    Where a worker died in the middle of a write to BigCommerce, nobody knows whether the store has taken it: it may
    show a write up to 60 s later. Only then can the rows be read, and written again if they differ. WooCommerce
    answers when it has written, and is read again at once.
    """
    size = FULL if FULL_SIZE else SMALL
    print(f"SOAK_SEED={SEED}")  # noqa: T201 - to do the same again
    with town(size.bigcommerce_skus, size.woocommerce_skus) as place:
        with (
            Killer(fleet, size.pauses) as killer,
            Vendors(fleet.webhook_port, connections=CONNECTIONS) as vendors,
        ):
            trade(place, vendors, size)
        since = time.monotonic()
        print(f"died: {dict(killer.deaths)}")  # noqa: T201 - `make soak` shows it
        reckon(
            f"any process dies every few seconds ({leases} leases)",
            place.shops,
            since=since,
            answers=vendors.answers,
            within=WITHIN[leases],
        )
        for shop in place.shops:
            found = shop.compare()
            assert (found.wrong, found.touched) == (0, 0)
    assert set(killer.deaths) == set(ROLES)
    statuses = Counter(answer.status for answer in vendors.answers)
    print(f"deliveries: {dict(statuses)}, runs: {runs()}")  # noqa: T201
    assert statuses[200] >= size.deliveries / 2
    assert {status for status, _, _ in runs()} <= {"completed"}


def trade(place: Town, vendors: Vendors, size: Size) -> None:
    """What happens in the shops and in BC, told delivery by delivery at a steady pace.

    In the first half shops sell, and BC's stock changes. Then all are synced once more, and from there on webhooks
    alone must do: somebody sets products of the BigCommerce store too high, and it tells of each until it is heard.
    The WooCommerce shop, which tells only once, tells of products that are right.

    A shop sells only what it has. Below zero the catalogue of BigCommerce shows 0, which is what BC wants there:
    nothing is written, and the count of what is on hand stays negative, which only a probe of the inventory may find.
    """
    draw = random.Random(SEED + 1)
    truth = {shop: [row for row in shop.truth() if row["expected"] is not None] for shop in place.shops}
    plenty = {shop: [row for row in found if row["expected"] >= STOCK[0]] for shop, found in truth.items()}
    numbers = sorted({row["key"] for found in truth.values() for row in found})
    ask(place)
    began = time.monotonic()
    for number in range(size.deliveries):
        time.sleep(max(began + size.seconds * number / size.deliveries - time.monotonic(), 0))  # the pace
        selling = number < size.deliveries / 2
        if number == size.deliveries // 2:
            ask(place)
        shop = place.shops[number % 2]
        row = draw.choice((plenty if selling else truth)[shop])
        if selling:
            change(shop, row, -1)
            if number % 10 == 0:
                stock = {key: draw.randint(*STOCK) for key in draw.sample(numbers, CHANGED_AT_ONCE)}
                place.simulators.bc.set_stock({**stock})
        elif isinstance(shop, BigCommerceHandle):
            change(shop, row, +1_000)
        site = place.sites[shop]
        vendors.send(
            signed(site, row["product_id"], f"delivery-{number}"), again=site.platform == BIGCOMMERCE
        )


def ask(place: Town) -> None:
    """Ask for a sync of each site, which lists what the shops show from now on."""
    for site in place.sites.values():
        request_sync(site.id, requested_by="test", shop_changed=True)


def change(shop: ShopHandle, row: dict[str, int], by: int) -> None:
    """The shop's own stock of a row moves: a sale, or somebody's mistake."""
    if isinstance(shop, BigCommerceHandle):
        ids = {name: row[name] for name in ("product_id", "variant_id") if row.get(name)}
        shop.sell(-by, **ids)
    else:
        assert isinstance(shop, WooCommerceHandle)
        shop.sell(row.get("variation_id") or row["product_id"], -by)


def runs() -> list[tuple[str, str | None, int]]:
    """How the syncs ended: status, error, how many."""
    return [
        (status, error, number)
        for status, error, number in rows(
            "SELECT status, error, count(*) FROM rm_sync_runs GROUP BY 1, 2 ORDER BY 1"
        )
    ]
