"""Two full syncs and webhooks of the same products at once, while BC's stock changes: the last truth wins.

Never an older one: once a shop has received a write of version k of the truth, no later write of that row may carry
a version below k; and the last write of each row carries the last version.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from models.database import row, session
from models.site import Site
from tests.acceptance.knocking import signed
from tests.acceptance.reckoning import RECOVERY_SECONDS, reckon
from tests.acceptance.test_webhooks import ROLES, wait_for_the_end_of_all
from tests.acceptance.trouble import Town, ask_for_all, assert_all_right, quicken, town
from tests.acceptance.truths import TOO_MUCH, Truths, stepped_back
from tests.deliveries import SECRET
from tests.fleet import Fleet, eventually
from tests.flood import send_all
from tests.places import wait_for_run
from tests.simulators.handles import (
    BigCommerceHandle,
    BusinessCentralHandle,
    ShopHandle,
    WooCommerceHandle,
)

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
SKUS = 120  # of each shop
CHANGES = 200 if FULL_SIZE else 20
PAUSES = (0.1, 0.4)  # seconds between two changes
WRONG_AT_ONCE = 6  # products of each shop that somebody sets wrong with each change; a webhook tells of each
JITTER = {
    "bc": 800,
    "shops": 200,
}  # ms at most between a call's work and its answer: answers overtake each other
BC_READS = "GET /companies({company})/items"


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Two sync workers and all that webhooks need; every webhook asks BC."""
    quick = {
        **quicken(environment, monkeypatch),
        "SETTLE_SECONDS": "2",
    }  # nothing lands later than LANDING here
    with Fleet(quick, (*ROLES, "worker-sync:2"), worker="tests.acceptance.eager_worker") as running:
        yield running


@pytest.fixture
def place(fleet: Fleet) -> Iterator[Town]:
    """Two shops that sell much the same."""
    with town(SKUS, SKUS) as found:
        yield found


@pytest.fixture
def truths(place: Town) -> Truths:
    """The first version, which both shops show."""
    first = Truths(place.simulators.bc, place.shops)
    first.change()
    assert_all_right(place.shops, ask_for_all())
    for shop in place.shops:
        shop.forget_writes()
    return first


@pytest.mark.timeout(900)
def test_the_last_truth_wins_and_no_older_one_follows_a_newer_one(
    truths: Truths, place: Town, fleet: Fleet
) -> None:
    draw = random.Random(7)
    for shop, site in place.sites.items():
        tell(shop, site, fleet)
        shop.set_latency(0, jitter=JITTER["shops"])
    place.simulators.bc.set_latency(0, jitter=JITTER["bc"])

    for change in range(CHANGES):
        truths.change()
        if change % 3:
            ask_for_all()
        for shop in place.shops:
            for wrong in draw.sample(truths.rows(shop), WRONG_AT_ONCE):
                set_wrong(shop, *wrong)
        time.sleep(draw.uniform(*PAUSES))  # the trade's own pace
    truths.change()
    ask_for_all()
    since = time.monotonic()
    wait_for_the_end_of_all(RECOVERY_SECONDS)

    assert_never_older(truths, place.shops)
    reckon("syncs and webhooks while the truth changes", place.shops, since=since)
    by_whom = row(
        "SELECT count(DISTINCT run_id), count(*) FILTER (WHERE run_id IS NULL) FROM rm_pushes WHERE outcome = 'pushed'"
    )
    assert by_whom is not None
    assert by_whom[0] >= 6, "each shop was to be written by several syncs"
    assert by_whom[1] >= CHANGES, "webhooks were to write, too"


def test_of_reads_of_bc_that_overlap_the_one_that_saw_more_wins(
    truths: Truths, place: Town, fleet: Fleet
) -> None:
    """First BC works on a sync's read before it does on a webhook's, and answers it after; then the reverse."""
    bc = place.simulators.bc
    bc.hold(BC_READS, "answer of the sync")
    runs = ask_for_all()
    wait_for_gate(bc, "answer of the sync")

    truths.change()
    for shop in place.shops:
        shop_tells_of_a_wrong_row(place, fleet, truths, shop, 0)
        wait_for_a_write(truths, shop)
    bc.let_go("answer of the sync")
    for run_id in runs:
        assert wait_for_run(run_id).error is None

    for shop in place.shops:
        assert stepped_back(truths.written(shop)) == {}, shop.name

    bc.hold(BC_READS, "start of the sync", early=True)
    runs = ask_for_all()
    wait_for_gate(bc, "start of the sync")
    for number, shop in enumerate(place.shops, start=1):
        bc.hold(BC_READS, "answers of webhooks")
        shop_tells_of_a_wrong_row(place, fleet, truths, shop, number)
        wait_for_gate(bc, "answers of webhooks", number)

    truths.change()
    bc.let_go("start of the sync")
    for run_id in runs:
        assert wait_for_run(run_id).error is None
    bc.let_go("answers of webhooks")
    since = time.monotonic()
    wait_for_the_end_of_all(RECOVERY_SECONDS)

    assert_never_older(truths, place.shops)
    reckon("reads of BC that overlap", place.shops, since=since)


def assert_never_older(truths: Truths, shops: list[ShopHandle]) -> None:
    """No row was ever sent a version below one that it had been sent before; the last one is the truth."""
    for shop in shops:
        written = truths.written(shop)
        back = stepped_back(written)
        print(  # noqa: T201 - `make soak` shows it
            f"{shop.name}: {sum(map(len, written.values()))} writes of {len(written)} rows, "
            f"{len(back)} of them stepped back"
        )
        assert back == {}
        assert {found[-1] if found else None for found in written.values()} == {truths.version}


def tell(shop: ShopHandle, site: Site, fleet: Fleet) -> None:
    """Let a shop send its own webhooks, our writes' echoes among them."""
    address = f"{fleet.webhook_url}/webhooks/{site.platform}/{site.id}"
    if isinstance(shop, BigCommerceHandle):
        shop.add_hook("store/product/updated", address)
        with session():
            site.webhook_secret = shop.client_secret  # what all hooks of an app are signed with
            site.save()
    else:
        assert isinstance(shop, WooCommerceHandle)
        shop.add_hook("product.updated", address, SECRET)


def set_wrong(shop: ShopHandle, product_id: int, within: int) -> None:
    """Somebody types a wrong quantity into the shop. within: its variant or variation; 0: the product itself."""
    if isinstance(shop, BigCommerceHandle):
        shop.set_shop_stock(TOO_MUCH, product_id=product_id, **({"variant_id": within} if within else {}))
    else:
        assert isinstance(shop, WooCommerceHandle)
        shop.set_shop_stock(within or product_id, TOO_MUCH)


def shop_tells_of_a_wrong_row(
    place: Town, fleet: Fleet, truths: Truths, shop: ShopHandle, number: int
) -> None:
    """Somebody sets a row wrong, and the shop tells of its product."""
    product_id, within = truths.rows(shop)[number]
    set_wrong(shop, product_id, within)
    told = signed(place.sites[shop], product_id, f"wrong-{shop.name}-{number}")
    assert [answer.status for answer in send_all(fleet.webhook_port, [told], connections=1)] == [200]


def wait_for_gate(bc: BusinessCentralHandle, gate: str, number: int = 1) -> None:
    """Wait until so many calls stand at a gate of BC's."""
    eventually(lambda: bc.held(gate) >= number, seconds=30, what=f"{number} at the gate: {gate}")


def wait_for_a_write(truths: Truths, shop: ShopHandle) -> None:
    """Wait until a shop has been sent anything."""
    eventually(lambda: any(truths.written(shop).values()), seconds=30, what=f"a write to {shop.name}")
