"""Thousands of deliveries at full speed, and everything dies in the middle: what got a 200 is done.

This module has servers of its own, since it kills them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from models.database import rows, session
from models.site import Site
from tests import deliveries
from tests.acceptance.test_sync_kills import kill, servers
from tests.acceptance.test_webhooks import ROLES, wait_for_the_end_of_all
from tests.acceptance.trouble import quicken
from tests.fleet import Fleet, eventually
from tests.flood import Sent, send_all
from tests.places import bigcommerce_site, company, wait_for_run
from tests.servers import Servers
from tests.simulators.handles import BigCommerceHandle
from tests.simulators.process import Simulators
from workers.full_sync.requests import request_sync

__all__ = ["servers"]

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
DELIVERIES = 20_000 if FULL_SIZE else 4_000
CONNECTIONS = 32
SKUS = 2_000 if FULL_SIZE else 600
DEATHS = {20: "worker-webhooks", 40: "valkey", 60: "postgres", 80: "webhook"}  # after so many hundredths
RECOVERY_SECONDS = 120


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Everything that takes part, with short leases."""
    with Fleet(quicken(environment, monkeypatch), ROLES) as running:
        yield running


def give_secret(site: Site) -> None:
    """The secret that tests sign with."""
    with session():
        site.webhook_secret = deliveries.SECRET
        site.webhook_proofs = ["signature"]
        site.save()


def test_no_delivery_that_got_a_200_is_lost_whatever_dies(servers: Servers, fleet: Fleet) -> None:
    with Simulators.start(bc_items=SKUS, bigcommerce=1, woocommerce=0, bigcommerce_skus=SKUS) as simulators:
        store = simulators.bigcommerce[0]
        store.set_landing(0, 0.3)
        store.configure(quota=1_000_000)  # an Enterprise store
        site = bigcommerce_site(company(simulators.bc), store, channel_ids=store.channel_ids)
        give_secret(site)
        run = wait_for_run(request_sync(site.id, requested_by="test").run_id, 90)
        assert (run.status, run.error) == ("completed", None)
        assert store.wait_until_landed().correct
        products = spoil(store, site)
        deaths = {DELIVERIES * share // 100: what for share, what in DEATHS.items()}

        answers = send_all(
            fleet.webhook_port,
            [event(site, products[number % len(products)], f"msg_{number}") for number in range(DELIVERIES)],
            connections=CONNECTIONS,
            on_answer=lambda number: kill(deaths[number], fleet, servers) if number in deaths else None,
        )
        wait_for_the_end_of_all(RECOVERY_SECONDS)

        accepted = [answer.delivery.key for answer in answers if answer.status == 200]
        logged = Counter(key for (key,) in rows("SELECT delivery_key FROM rm_webhook_log"))
        assert len(accepted) > DELIVERIES / 2
        assert {answer.status for answer in answers} <= {200, 503, None}
        assert [key for key in accepted if logged[key] != 1] == []
        assert max(logged.values()) == 1
        assert rows("SELECT DISTINCT status FROM rm_webhook_log") == [("completed",)]
        # Each product was read after its last delivery had been stored.
        assert (
            rows(
                """
            SELECT l.product_id FROM rm_webhook_log l WHERE NOT EXISTS (
                SELECT FROM rm_items i WHERE i.site_id = l.site_id AND i.product_id = l.product_id
                  AND i.observed_at >= l.received_at)
            """
            )
            == []
        )
        if any(answer.status == 503 for answer in answers):
            # By the receiver that turned them away, or where that was killed, by the dispatcher.
            eventually(made_up_for, seconds=RECOVERY_SECONDS, what="a sync for what was turned away")
            wait_for_the_end_of_all(RECOVERY_SECONDS)
        untold = {answer.delivery.product_id for answer in answers} - {
            answer.delivery.product_id for answer in answers if answer.status == 200
        }
        assert untold == set()  # else the comparison below would rest on the full sync
        assert store.wait_until_landed().correct
        assert store.violations() == {}


def made_up_for() -> bool:
    """Whether a sync was asked for."""
    turned_away = (
        "SELECT 1 FROM rm_sync_runs WHERE starts_with(requested_by, 'webhooks that were turned away')"
    )
    return rows(turned_away) != []


def event(site: Site, product_id: int, key: str) -> Sent:
    """A signed delivery that a product has changed."""
    body = deliveries.bigcommerce_body(product_id, producer=f"stores/{site.store_hash}")
    headers = deliveries.bigcommerce_headers(body, delivery_id=key)
    return Sent(deliveries.path(site), headers, body, product_id, key)


def spoil(store: BigCommerceHandle, site: Site) -> list[int]:
    """Let the shop show more than it should, everywhere; gives the products that an event must put right."""
    found = rows(
        "SELECT product_id, variant_id, tracking, wanted FROM rm_items"
        " WHERE site_id = %s AND active AND skip_reason IS NULL ORDER BY id",
        (site.id,),
    )
    for product_id, variant_id, tracking, wanted in found:
        variant = {"variant_id": variant_id} if tracking == "variant" else {}
        store.set_shop_stock(wanted + 7, product_id=product_id, **variant)
    return sorted({product_id for product_id, *_ in found})
