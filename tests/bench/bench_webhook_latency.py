"""From a webhook's 200 to the change in rm_items, while another site's 20,000 SKUs are synced: `make bench`."""

from __future__ import annotations

import statistics
import threading
import time

import click
import pytest

from models import config
from models.database import rows
from models.site import Site
from tests import deliveries
from tests.fleet import Fleet
from tests.flood import Answered, Sent, send_all
from tests.places import bigcommerce_site, company, run_of, wait_for_run
from tests.simulators.handles import BigCommerceHandle
from tests.simulators.process import Simulators
from workers.full_sync.requests import request_sync

SKUS = 20_000
CHANGES = 400
EVERY_SECONDS = 0.05
POLL_SECONDS = 0.01
ROLES = ("worker-sync", "worker-webhooks", "dispatcher", "webhook")


def bench_from_200_to_rm_items(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sales in one shop, one every 50 ms, while syncs of another shop follow each other."""
    config.settings.cache_clear()
    with (
        Simulators.start(bc_items=SKUS, bigcommerce=2, woocommerce=0, bigcommerce_skus=SKUS) as simulators,
        Fleet(environment, ROLES) as fleet,
    ):
        big, small = simulators.bigcommerce
        owner = company(simulators.bc)
        for store in (big, small):
            store.set_landing(0, 0)
            store.configure(quota=1_000_000)  # an Enterprise store
        busy = bigcommerce_site(owner, big, channel_ids=big.channel_ids)
        site = bigcommerce_site(
            owner, small, channel_ids=small.channel_ids, webhook_secret=deliveries.SECRET,
            webhook_proofs=["signature"],
        )  # fmt: skip
        for found in (site, busy):
            wait_for_run(request_sync(found.id, requested_by="bench").run_id, 120)
        time.sleep(1)
        stop = threading.Event()
        syncing = threading.Thread(target=_keep_syncing, args=(busy, stop))
        syncing.start()
        try:
            seconds, syncs_ran = _measure(fleet, site, small), run_count(busy)
        finally:
            stop.set()
            syncing.join()
    ordered = sorted(seconds)
    click.echo(
        f"\nfrom 200 to rm_items, {len(ordered)} sales beside {syncs_ran} syncs of {SKUS:,} SKUs: "
        f"median {statistics.median(ordered):.3f} s, 99th percentile {ordered[int(len(ordered) * 0.99)]:.3f} s, "
        f"longest {ordered[-1]:.3f} s"
    )


def run_count(site: Site) -> int:
    """How many syncs of a site have begun."""
    return int(rows("SELECT count(*) FROM rm_sync_runs WHERE site_id = %s", (site.id,))[0][0])


def _keep_syncing(site: Site, stop: threading.Event) -> None:
    while not stop.is_set():
        run_id = request_sync(site.id, requested_by="bench").run_id
        while run_of(run_id).status in ("queued", "running") and not stop.wait(0.2):
            pass


def _measure(fleet: Fleet, site: Site, store: BigCommerceHandle) -> list[float]:
    found = rows(
        "SELECT product_id, shown FROM rm_items WHERE site_id = %s AND active AND skip_reason IS NULL"
        " AND variant_id = 0 AND shown > 1"
        # A read equal to what was there before our write may be lateness: it is confirmed a minute later.
        " AND shown - 1 IS DISTINCT FROM shown_before ORDER BY id LIMIT %s",
        (site.id, CHANGES),
    )
    waiting: dict[int, int] = {}
    answered: dict[int, float] = {}
    seen: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set() or waiting:
            now_shown = dict(
                rows(
                    "SELECT product_id, shown FROM rm_items"
                    " WHERE site_id = %s AND product_id = ANY (%s) AND variant_id = 0",
                    (site.id, list(waiting)),
                )
            )
            moment = time.time()
            for product_id, expected in list(waiting.items()):
                if now_shown.get(product_id) == expected:
                    seen[product_id] = moment
                    waiting.pop(product_id)
            time.sleep(POLL_SECONDS)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number, (product_id, shown) in enumerate(found):
        store.sell(1, product_id=product_id)
        waiting[product_id] = shown - 1
        answered[product_id] = _send(fleet, site, product_id, number).answered_at
        time.sleep(EVERY_SECONDS)
    done.set()
    watcher.join(30)
    return [max(seen[product_id] - answered[product_id], 0.0) for product_id in answered]


def _send(fleet: Fleet, site: Site, product_id: int, number: int) -> Answered:
    body = deliveries.bigcommerce_body(product_id, producer=f"stores/{site.store_hash}")
    headers = deliveries.bigcommerce_headers(body, delivery_id=f"bench_{number}")
    delivery = Sent(deliveries.path(site), headers, body, product_id, "")
    (answer,) = send_all(fleet.webhook_port, [delivery], connections=1)
    assert answer.status == 200, answer
    return answer
