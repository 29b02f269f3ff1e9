"""A place that is lived in: two shops that were synced, one that is held, webhooks, failures, people, alerts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from models import setting
from models.database import execute, row, rows
from models.site import Site
from tests.browser.visitor import PASSWORD
from tests.deliveries import SECRET
from tests.fleet import Fleet, eventually
from tests.places import bigcommerce_site, company, wait_for_run, woocommerce_site
from tests.receivers import Gunicorn
from tests.simulators.process import Simulators
from workers import figures, tokens, users
from workers.alerts.check import check
from workers.full_sync.requests import request_sync

ROLES = ("worker-sync", "worker-webhooks", "dispatcher", "webhook")
RUN_SECONDS = 120
QUICK = {
    "JOB_LEASE_SECONDS": "6",
    "WRITE_DEADLINE_SECONDS": "5",
    "STORE_LEASE_SECONDS": "20",
    "SETTLE_SECONDS": "2",  # the shops here land at once, and nothing here writes late
}
"""Settings that make a sync as short as a person's patience."""

_SETTLED = """
    SELECT (SELECT count(*) FROM rm_site_figures WHERE skipped > 0),
           (SELECT count(*) FROM rm_alerts WHERE kind = 'run_held' AND state = 'open')
"""


@dataclass(frozen=True)
class Town:
    """What stands where: `ids` by the names that the panel's addresses have."""

    web: Gunicorn
    simulators: Simulators
    ids: dict[str, int]


@contextmanager
def lived_in(environment: dict[str, str]) -> Iterator[Town]:
    """All of it, and the processes that work on it."""
    everything = {**environment, **QUICK}
    with (
        Simulators.start(bc_items=80, bigcommerce_skus=60, woocommerce_skus=40) as simulators,
        Gunicorn(everything, role="web") as web,
    ):
        owner = company(simulators.bc)
        store, shop = simulators.bigcommerce[0], simulators.woocommerce[0]
        store.set_landing(0, 0.1)
        proof = {"webhook_secret": SECRET, "webhook_proofs": ["signature"]}
        first = bigcommerce_site(owner, store, name="Outdoor store", channel_ids=store.channel_ids, **proof)
        second = woocommerce_site(owner, shop, name="Corner shop", **proof)
        bigcommerce_site(
            owner, store, name="Paused store", store_key="bigcommerce:gone", store_hash="gone", active=False
        )
        with Fleet(everything, ROLES) as fleet:
            _sync(first, second)
            _deliver(fleet, simulators, second)
            _hold(simulators, second)
            _people()
            _past()
            eventually(_settled, seconds=90, what="the figures of the sites, and the alert of the held sync")
            yield Town(web, simulators, _ids(first))


def _settled() -> bool:
    """Counted and judged at once: the dispatcher would do the same some seconds later."""
    execute("UPDATE rm_site_figures SET counted_at = counted_at - interval '1 day'")
    figures.keep()
    check()
    return row(_SETTLED) == (2, 1)


def _sync(*sites: Site) -> None:
    runs = [request_sync(site.id, requested_by="user anna").run_id for site in sites]
    for run_id in runs:
        assert wait_for_run(run_id, RUN_SECONDS).status == "completed"


def _deliver(fleet: Fleet, simulators: Simulators, site: Site) -> None:
    """Deliveries of the shop itself, and one that somebody forged."""
    shop = simulators.woocommerce[0]
    address = f"{fleet.webhook_url}/webhooks/woocommerce/{site.id}"
    shop.add_hook("product.updated", address, SECRET)
    sold = rows(
        "SELECT product_id FROM rm_items WHERE site_id = %s AND variant_id = 0 AND shown > 3"
        " AND skip_reason IS NULL ORDER BY id LIMIT 3",
        (site.id,),
    )
    for (product,) in sold:
        shop.sell(product)
    shop.wait_quiet()
    forged = {"X-WC-Webhook-Topic": "product.updated", "X-WC-Webhook-Signature": "bm90IGl0"}
    requests.post(address, json={"id": 1}, headers=forged, timeout=30)
    eventually(
        lambda: row("SELECT count(*) > 1 AND bool_and(status <> 'received') FROM rm_webhook_log") == (True,),
        seconds=60,
        what="the end of all deliveries",
    )


def _hold(simulators: Simulators, site: Site) -> None:
    """Everything in Business Central falls to zero: the guard holds the next run."""
    numbers = [number for (number,) in rows("SELECT number FROM rm_stock WHERE quantity > 0")]
    simulators.bc.set_stock(dict.fromkeys(numbers, 0))
    run = wait_for_run(request_sync(site.id, requested_by="user anna").run_id, RUN_SECONDS)
    assert run.status == "held", (run.status, run.error)


def _people() -> None:
    for name, role in (("anna", "admin"), ("otto", "operator"), ("vera", "viewer")):
        users.create(name, role, PASSWORD)
    tokens.create("warehouse", "read")
    tokens.revoke(tokens.create("the old report", "sync")[0].id)
    setting.change("public_webhook_url", "https://hooks.example.com")
    execute(
        "UPDATE rm_queue SET status = 'failed', error = 'the shop answered 502 eight times',"
        " finished_at = now() WHERE id = (SELECT min(id) FROM rm_queue WHERE status = 'completed')"
    )


def _past() -> None:
    """An hour of figures, so that charts have something to draw."""
    execute(
        "INSERT INTO rm_queue_minutes (minute, completed, failed, pending, processing, oldest_seconds)"
        " SELECT date_trunc('minute', now()) - n * interval '1 minute', 40 + 30 * sin(n / 5.0), n %% 13 / 12,"
        " n %% 7, n %% 4, 5 + 4 * cos(n / 7.0) FROM generate_series(1, 60) n ON CONFLICT DO NOTHING"
    )


def _ids(site: Site) -> dict[str, int]:
    def one(sql: str) -> int:
        found = row(sql)
        assert found is not None, sql
        assert found[0] is not None, sql
        return int(found[0])

    return {
        "site_id": site.id,
        "company_id": one("SELECT min(id) FROM rm_companies"),
        "run_id": one("SELECT max(id) FROM rm_sync_runs WHERE status = 'held'"),
        "item_id": one(f"SELECT min(id) FROM rm_items WHERE site_id = {site.id} AND skip_reason IS NULL"),
        "job_id": one("SELECT max(id) FROM rm_queue WHERE status = 'failed'"),
        "delivery_id": one("SELECT max(id) FROM rm_webhook_log WHERE status = 'completed'"),
        "user_id": one("SELECT id FROM rm_users WHERE name = 'vera'"),
        "token_id": one("SELECT min(id) FROM rm_api_tokens"),
    }
