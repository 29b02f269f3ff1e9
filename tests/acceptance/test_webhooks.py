"""Webhooks on real processes: the shops send them themselves, and thousands survive whatever dies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.database import rows
from tests.deliveries import SECRET
from tests.fleet import Fleet, eventually
from tests.places import bigcommerce_site, company, wait_for_run, woocommerce_site
from tests.simulators.handles import BigCommerceHandle, WooCommerceHandle
from tests.simulators.process import Simulators
from workers.full_sync.requests import request_sync

ROLES = ("worker-sync", "worker-webhooks", "dispatcher", "webhook")


@pytest.fixture
def fleet(hasty: dict[str, str]) -> Iterator[Fleet]:
    """Everything that takes part."""
    with Fleet(hasty, ROLES) as running:
        yield running


def wait_for_the_end_of_all(seconds: float) -> None:
    """Wait until every delivery and every job has come to its end."""
    eventually(
        lambda: (
            not rows(
                "SELECT 1 FROM rm_webhook_log WHERE status = 'received'"
                " UNION ALL SELECT 1 FROM rm_queue WHERE status IN ('pending', 'processing') LIMIT 1"
            )
        ),
        seconds=seconds,
        every=0.5,
        what="the end of all deliveries",
    )


@pytest.mark.parametrize("platform", ["bigcommerce", "woocommerce"])
def test_what_happens_in_a_shop_is_right_within_seconds(fleet: Fleet, platform: str) -> None:
    with Simulators.start(
        bc_items=400,
        bigcommerce=int(platform == "bigcommerce"),
        woocommerce=int(platform == "woocommerce"),
        bigcommerce_skus=300,
        woocommerce_skus=300,
    ) as simulators:
        owner = company(simulators.bc)
        shop: BigCommerceHandle | WooCommerceHandle
        if platform == "bigcommerce":
            shop = simulators.bigcommerce[0]
            shop.set_landing(0, 0.5)
            # Signed with the app's client secret, as all hooks of an app are.
            site = bigcommerce_site(
                owner, shop, channel_ids=shop.channel_ids, webhook_secret=shop.client_secret,
                webhook_proofs=["signature"],
            )  # fmt: skip
            for scope in (
                "product/created",
                "product/updated",
                "product/deleted",
                "product/inventory/updated",
            ):
                shop.add_hook(f"store/{scope}", f"{fleet.webhook_url}/webhooks/bigcommerce/{site.id}")
        else:
            shop = simulators.woocommerce[0]
            site = woocommerce_site(owner, shop, webhook_secret=SECRET, webhook_proofs=["signature"])
            for topic in ("created", "updated", "deleted", "restored"):
                address = f"{fleet.webhook_url}/webhooks/woocommerce/{site.id}"
                shop.add_hook(f"product.{topic}", address, SECRET)
        run = wait_for_run(request_sync(site.id, requested_by="test").run_id, 90)
        assert (run.status, run.error) == ("completed", None)

        simulators.bc.add_item("BRAND-NEW", 12)
        made = shop.create_product(sku="brand-new", quantity=0)["product_id"]

        def shown() -> list[tuple[object, ...]]:
            return rows(
                "SELECT shown, active FROM rm_items WHERE site_id = %s AND product_id = %s", (site.id, made)
            )

        eventually(lambda: shown() == [(12, True)], seconds=15, what="the new product's stock")
        shop.wait_quiet()  # our write has landed
        shop.control("sell", product_id=made, quantity=5)
        eventually(lambda: shown() == [(7, True)], seconds=15, what="the sale")
        shop.delete_product(made)
        if platform == "bigcommerce":  # a forced delete at WooCommerce tells nobody
            eventually(lambda: shown() == [(7, False)], seconds=15, what="the deletion")
        shop.wait_quiet()
        wait_for_the_end_of_all(30)
        assert shop.wait_until_landed().correct
        assert shop.violations() == {}
        assert rows("SELECT count(*) FROM rm_webhook_log WHERE status NOT IN ('completed', 'ignored')") == [
            (0,)
        ]
