"""Vendors that fail in every way that is known of them: each time all is right again by itself, within a minute."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest

from models.database import row, rows
from tests.acceptance.knocking import Knocking
from tests.acceptance.reckoning import reckon
from tests.acceptance.test_webhooks import ROLES
from tests.acceptance.trouble import (
    BIGCOMMERCE_WRITE,
    QUICK,
    WOOCOMMERCE_WRITES,
    Town,
    ask_for_all,
    assert_all_right,
    quicken,
    town,
)
from tests.fleet import Fleet, eventually
from tests.places import run_of, wait_for_run
from tests.simulators.handles import BigCommerceHandle, ShopHandle, SimulatorHandle
from workers.alerts.check import check
from workers.breaker import FAILURES_TO_OPEN, PROBE_SECONDS
from workers.full_sync.requests import request_sync

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
BIGCOMMERCE_SKUS = 20_000 if FULL_SIZE else 1_000
WOOCOMMERCE_SKUS = 5_000 if FULL_SIZE else 300
STORES = 2  # one of them has no trouble of its own
RUN_SECONDS = 400 if FULL_SIZE else 120

MIXED = 0.05
SEEDS = (42, 22, 43, 26)  # with which the first fault comes soon, however few calls a vendor gets
HOLD_SECONDS = 6.0  # that a call hangs before its connection breaks: over the write deadline of these tests
DOWN = {"503_bare": 3, "html_502": 1, "reset": 1}  # what a host that is down answers
OUTAGE_SECONDS = 60.0 if FULL_SIZE else 12.0
BC_OUTAGE_SECONDS = 60.0 if FULL_SIZE else 6.0
STORM_SECONDS = 65.0 if FULL_SIZE else 6.0  # 65: just after a pause that has grown for 62 s began anew
THREADS = 6  # of all workers: so many calls may be under way when a vendor falls

BIGCOMMERCE_LIST = "GET /catalog/products"
WOOCOMMERCE_LIST = "GET /products"
WOOCOMMERCE_FLAT_LIST = "GET /variations"
BC_ITEMS = "GET */items"
# By this call of its list a shop is being listed: of a large one ranges are found first.
LISTING = 12 if FULL_SIZE else 3
SLOW_READ = ["slow"] if FULL_SIZE else []
SLOW_AT_LONGEST = {  # seconds that one call may take in all, by product code's own deadlines
    BIGCOMMERCE_WRITE: float(QUICK["WRITE_DEADLINE_SECONDS"]),
    WOOCOMMERCE_WRITES: float(QUICK["WRITE_DEADLINE_SECONDS"]),
    **({BIGCOMMERCE_LIST: 60.0, WOOCOMMERCE_LIST: 60.0, BC_ITEMS: 120.0} if FULL_SIZE else {}),
}
RETRY_AFTER = 2  # seconds, of a 429
SLACK_SECONDS = 3.0  # until the simulator notices that nobody listens any more, on a busy machine
WRONG = ["truncated", "html_200", "cut_off"]
PAGES = ["truncated", "html_200", "repeated"]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Everything that takes part, with short leases."""
    with Fleet(quicken(environment, monkeypatch), ROLES) as running:
        yield running


@pytest.fixture
def place(fleet: Fleet) -> Iterator[Town]:
    """Two BigCommerce stores and a WooCommerce shop of one company, whose items come on several pages."""
    with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS, STORES) as found:
        found.simulators.bc.configure(max_page_size=BIGCOMMERCE_SKUS // 4)
        yield found


@pytest.fixture
def roomy(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A store and a shop whose catalogues take several pages each, and nobody who tells of changes."""
    with (
        Fleet(quicken(environment, monkeypatch)),
        town(max(BIGCOMMERCE_SKUS, 2_500), max(WOOCOMMERCE_SKUS, 800)) as found,
    ):
        found.simulators.bc.configure(max_page_size=300)
        yield found


def all_rules(kind: str) -> dict[str, Any]:
    """A fault plan under which every call fails in this way."""
    return {"rules": [{"kind": kind, "count": None}]}


def calm(vendors: Sequence[SimulatorHandle]) -> float:
    """No more faults; gives the moment."""
    for vendor in vendors:
        vendor.set_faults()
    return time.monotonic()


def answers(vendor: SimulatorHandle, status: object) -> list[dict[str, Any]]:
    """The calls that were answered so."""
    return [call for call in vendor.requests_seen() if call["status"] == status]


def end_of_retry_after(vendor: SimulatorHandle, status: int, seconds: float) -> float:
    """time.monotonic() at which the last answer of this status allows the next call."""
    last = max((call["at"] + call["seconds"] for call in answers(vendor, status)), default=0.0)
    return float(last + seconds - time.time() + time.monotonic())


def assert_completed(run_ids: Sequence[int]) -> None:
    """Nobody had to ask again: these runs came through."""
    runs = [run_of(run_id) for run_id in run_ids]
    assert [(run.status, run.error, run.failed) for run in runs] == [("completed", None, {})] * len(runs)


def test_5_percent_of_all_calls_fail_in_all_ways(place: Town, fleet: Fleet) -> None:
    vendors = place.simulators.all()
    for seed, vendor in zip(SEEDS, vendors, strict=True):
        vendor.set_faults(rate=MIXED, seed=seed, hold_seconds=HOLD_SECONDS)

    with Knocking(fleet.webhook_port, place.sites) as told:
        runs = ask_for_all()
        for run_id in runs:
            wait_for_run(run_id, RUN_SECONDS)

    since = calm(vendors)
    reckon("5% mixed faults", place.shops, since=since, answers=told.answers)
    assert_completed(runs)
    assert all(vendor.counts()["faults"] for vendor in vendors)  # or nothing was tried


@pytest.mark.parametrize(
    ("falls_at", "nth", "kind"),
    [("*", 1, "503"), (BIGCOMMERCE_LIST, 3, "503_bare"), (BIGCOMMERCE_WRITE, 1, "503")]
    if FULL_SIZE
    else [(BIGCOMMERCE_LIST, 3, "503")],
)
def test_who_is_down_is_asked_now_and_then_and_holds_up_nobody_else(
    place: Town, fleet: Fleet, falls_at: str, nth: int, kind: str
) -> None:
    """Two shops are down, one of them without a word, and Business Central too once the third shop is in sync."""
    silent, healthy, telling = place.shops
    bc = place.simulators.bc
    retry_after = round(OUTAGE_SECONDS / 3)
    silent.after(falls_at, {"action": "faults", "rate": 1.0, "mix": DOWN, "seed": 3}, nth=nth)
    telling.after(
        WOOCOMMERCE_LIST, {"action": "faults", "retry_after": retry_after, **all_rules("503")}, nth=2
    )

    with Knocking(fleet.webhook_port, place.sites) as told:
        runs = ask_for_all()
        began = time.monotonic()
        assert wait_for_run(runs[1], RUN_SECONDS).status == "completed"
        bc.set_faults(**all_rules(kind), retry_after=retry_after)
        runs.append(request_sync(place.sites[healthy].id, requested_by="test").run_id)
        eventually(lambda: bool(bc.counts()["faults"]), seconds=60, what="BC is down")
        bc_began = time.monotonic()
        time.sleep(max(began + OUTAGE_SECONDS, bc_began + BC_OUTAGE_SECONDS) - time.monotonic())
        for vendor, since in ((silent, began), (telling, began), (bc, bc_began)):
            assert_spared(vendor, since)
        assert attempts_spent() <= FAILURES_TO_OPEN
        since = calm([silent, telling, bc])

    told_to_wait = [telling, bc] if kind == "503" else [telling]
    since = max(since, *(end_of_retry_after(vendor, 503, retry_after) for vendor in told_to_wait))
    reckon(
        f"down for {OUTAGE_SECONDS:.0f} s from {falls_at} on", place.shops, since=since, answers=told.answers
    )
    assert_completed(runs)


def assert_spared(vendor: SimulatorHandle, began: float) -> None:
    """One call in PROBE_SECONDS, after those that showed that it is down."""
    calls, lasted = sum(vendor.counts()["faults"].values()), time.monotonic() - began
    print(f"{vendor.name}: {calls} calls in the {lasted:.0f} s that it was down", flush=True)  # noqa: T201
    assert 0 < calls <= FAILURES_TO_OPEN + THREADS + lasted / PROBE_SECONDS


def attempts_spent() -> int:
    """The most that one open job has spent."""
    found = row("SELECT coalesce(max(attempts), 0) FROM rm_queue WHERE status = 'pending'")
    assert found is not None
    return int(found[0])


STORMS = {"with headers": ("429", "429"), "bare": ("429_bare", "429_bare"), "of both": ("429", "429_bare")}


@pytest.mark.parametrize("storm", ["with headers", "bare"] if FULL_SIZE else ["of both"])
def test_429s_in_a_row_stop_the_whole_fleet_each_time(roomy: Town, storm: str) -> None:
    vendors = roomy.simulators.all()
    for vendor, kind in zip(vendors, (*STORMS[storm], STORMS[storm][0]), strict=True):
        vendor.set_faults(**all_rules(kind), retry_after=RETRY_AFTER)

    runs = ask_for_all()
    eventually(lambda: all(vendor.counts()["faults"] for vendor in vendors), seconds=60, what="the storm")
    time.sleep(STORM_SECONDS)  # the fault's length
    since = calm(vendors)

    since = max(since, *(end_of_retry_after(vendor, 429, RETRY_AFTER) for vendor in vendors))
    refused = [len(answers(vendor, 429)) for vendor in vendors]
    print(f"{STORM_SECONDS:.0f} s of 429 {storm}: {refused} calls", flush=True)  # noqa: T201
    reckon(f"{STORM_SECONDS:.0f} s of 429 {storm}", roomy.shops, since=since)
    assert_completed(runs)
    assert min(refused) > 1
    # After each pause those who find a place at once: all threads at worst.
    assert max(refused) <= THREADS * (1 + STORM_SECONDS / RETRY_AFTER)


def test_answers_that_are_no_answers_are_asked_for_again(roomy: Town) -> None:
    """Truncated JSON, HTML with 200, a page given twice, and an answer that drips for ever."""
    store, shop = roomy.shops
    broken: dict[SimulatorHandle, dict[str, Sequence[str | None]]] = {
        roomy.simulators.bc: {"POST *": WRONG[:1], BC_ITEMS: [*WRONG, "repeated", *SLOW_READ]},
        store: {
            "*/locations": WRONG[:1],
            BIGCOMMERCE_LIST: [None, *WRONG[1:], "repeated", *SLOW_READ],
            BIGCOMMERCE_WRITE: ["slow"],
        },
        shop: {
            WOOCOMMERCE_LIST: [*PAGES, *SLOW_READ],
            WOOCOMMERCE_FLAT_LIST: PAGES,
            WOOCOMMERCE_WRITES: [*WRONG, "slow"],
        },
    }
    for vendor, plan in broken.items():
        rules = [
            # Every second call, so that what is asked again is answered; those of a kind that is called once.
            {"route": route, "kind": kind, "nth": 2 * number if len(kinds) > 1 else 1}
            for route, kinds in plan.items()
            for number, kind in enumerate(kinds, start=1)
            if kind
        ]
        vendor.set_faults(rules=rules, hold_seconds=900)

    runs = ask_for_all()
    for run_id in runs:
        wait_for_run(run_id, RUN_SECONDS)

    slow = [call for vendor in broken for call in answers(vendor, "slow")]
    since = max(call["at"] + call["seconds"] for call in slow) - time.time() + time.monotonic()
    reckon("answers that are none", roomy.shops, since=since)
    assert_completed(runs)
    for vendor in broken:
        assert {"truncated", "html_200", "repeated"} <= set(vendor.counts()["faults"]), vendor.name
    for route, longest in SLOW_AT_LONGEST.items():
        lasted = [call["seconds"] for call in slow if fnmatchcase(call["route"], route)]
        assert lasted, route
        assert all(longest - 1 < seconds < longest + SLACK_SECONDS for seconds in lasted), (route, lasted)


def test_products_that_come_and_go_while_pages_are_read_hide_no_other(roomy: Town) -> None:
    """One goes from a page that was read, one comes to a page that was not: the total stays, all between move."""
    assert_all_right(roomy.shops, ask_for_all())
    roomy.simulators.bc.add_item("BRAND-NEW", 11)
    gone, new = dict[ShopHandle, int](), dict[ShopHandle, int]()
    for shop, route in zip(roomy.shops, (BIGCOMMERCE_LIST, WOOCOMMERCE_LIST), strict=True):
        products = sorted(row["product_id"] for row in shop.truth() if row["expected"] is not None)
        forwards = isinstance(shop, BigCommerceHandle)  # WooCommerce is read from its last page down
        gone[shop] = products[0] if forwards else products[-1]
        new[shop] = products[-1] + 1_000_000 if forwards else 1
        made = {"action": "create_product", "id": new[shop], "sku": "brand-new", "quantity": 0}
        shop.after(route, {"action": "delete_product", "product_id": gone[shop]}, made, nth=LISTING)

    runs = ask_for_all()
    for run_id in runs:
        wait_for_run(run_id, RUN_SECONDS)

    reckon("rows that shift between pages", roomy.shops, since=time.monotonic())
    assert_completed(runs)
    for shop in roomy.shops:
        present = {row["product_id"] for row in shop.truth() if "other_channel" not in row["reasons"]}
        found = rows(
            "SELECT DISTINCT product_id FROM rm_items WHERE site_id = %s AND active", (roomy.sites[shop].id,)
        )
        active = {product for (product,) in found}
        assert new[shop] in active
        assert active - present <= {gone[shop]}  # if a page showed it before
        assert present - active == set()


def test_a_revoked_token_is_fetched_anew_or_a_person_is_told_which(roomy: Town) -> None:
    store, _ = roomy.shops
    roomy.simulators.bc.after(BC_ITEMS, {"action": "revoke_tokens"}, nth=2)
    store.after(BIGCOMMERCE_LIST, {"action": "faults", **all_rules("token_revoked")}, nth=LISTING)

    refused, other = (wait_for_run(run_id, RUN_SECONDS) for run_id in ask_for_all())

    assert (other.status, other.error) == ("completed", None)
    assert roomy.simulators.bc.counts()["statuses"]["GET /companies({company})/items"]["401"] >= 1
    assert refused.status == "failed"
    assert "a page of the shop could not be read: BigCommerce" in (refused.error or "")
    assert "401 Unauthorized" in (refused.error or "")
    assert "access_token" in (refused.error or "")
    check()
    site = f"site:{roomy.sites[store].id}"
    assert open_alerts() == [("credentials_refused", site), ("run_failed", site)]
    store.set_faults()
    since = time.monotonic()
    runs = ask_for_all()
    reckon("a token that was revoked", roomy.shops, since=since)
    assert_completed(runs)
    check()
    assert open_alerts() == []


def open_alerts() -> list[tuple[Any, ...]]:
    """Kind and subject of all that a person is being told of."""
    return rows("SELECT kind, subject FROM rm_alerts WHERE state = 'open' ORDER BY 1, 2")
