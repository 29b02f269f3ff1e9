"""A delivery of our own: over real HTTP to real receivers, and followed to what it brings about."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from werkzeug.serving import make_server

from models import setting
from models.database import db, execute, rows, session
from models.site import BIGCOMMERCE, Site
from tests.fleet import eventually
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.sync.working import do_next, drain
from tests.integration.webhooks.registering import again, hooks, ready
from tests.receivers import receiving
from workers import sites
from workers.errors import ConfigurationError
from workers.forms import parse
from workers.site_forms import SiteChange
from workers.webhooks import trial
from workers.webhooks.registration import register


@pytest.fixture
def receivers(database: str) -> Iterator[str]:
    """The receivers' own app on a free port; gives its address, which is also the public one."""
    with receiving() as app:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def worker() -> Iterator[None]:
    """A worker that does what is due, beside the test."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            drain()
        db.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _registered(shop: Shop, address: str) -> Site:
    register(ready(shop, address))
    return again(shop.site)


def _steps(found: trial.Trial) -> list[tuple[str, bool]]:
    return [(step.name, step.ok) for step in found.steps]


def test_a_delivery_of_our_own_is_followed_to_its_effect(shop: Shop, receivers: str) -> None:
    site = _registered(shop, receivers)
    product = shop.add_stocked("TRIED-1", in_bc=3)
    execute(
        "INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, tracking, observed_at)"
        " VALUES (%s, %s, '', '', '', 'product', now() - interval '1 hour')",
        (site.id, product),
    )

    with worker():
        found = trial.send(site)

    assert _steps(found) == [("sent", True), ("answered", True), ("logged", True), ("processed", True)]
    assert found.ok
    assert 0 < found.seconds < trial.FOLLOW_SECONDS
    logged = "SELECT status, verdict, product_id FROM rm_webhook_log WHERE id = %s"
    assert rows(logged, (found.delivery_id,)) == [("completed", "verified", product)]
    assert shop.shown(product) == 3


def test_without_a_known_product_nothing_is_changed_and_it_works_all_the_same(
    woo: WooCommerceShop, receivers: str
) -> None:
    site = _registered(woo, receivers)

    with worker():
        found = trial.send(site)

    assert found.ok
    assert rows("SELECT 1 FROM rm_items") == []


def test_a_secret_header_alone_is_proof_enough_where_the_site_says_so(
    store: BigCommerceShop, receivers: str
) -> None:
    ready(store, receivers)
    with session():
        Site.update(webhook_secret=None, webhook_proofs=["header"]).execute()
    register(store.site)

    with worker():
        assert trial.send(again(store.site)).ok


def test_where_nobody_answers_the_setting_is_named(woo: WooCommerceShop) -> None:
    found = trial.send(_registered(woo, "http://127.0.0.1:9"))

    assert _steps(found) == [("sent", True), ("answered", False)]
    assert found.steps[-1].field == "public_webhook_url"


def test_where_something_else_answers_the_setting_is_named(woo: WooCommerceShop, receivers: str) -> None:
    found = trial.send(_registered(woo, f"{receivers}/nowhere"))

    assert _steps(found) == [("sent", True), ("answered", False)]
    assert "404" in found.steps[-1].message
    assert found.steps[-1].field == "public_webhook_url"


def test_without_workers_it_says_so(woo: WooCommerceShop, receivers: str) -> None:
    found = trial.send(_registered(woo, receivers), follow_seconds=1)

    assert _steps(found)[-2:] == [("logged", True), ("processed", False)]
    assert "workers" in found.steps[-1].message


def test_a_failing_read_is_told_in_its_own_words(woo: WooCommerceShop, receivers: str) -> None:
    site = _registered(woo, receivers)
    woo.handle.set_faults(rate=1.0, mix={"500": 1}, seed=1)

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(trial.send, site, follow_seconds=1.5)
        eventually(lambda: rows("SELECT 1 FROM rm_queue") != [], seconds=10, every=0.02, what="the job")
        do_next("webhook.product")
        found = sent.result()

    woo.handle.set_faults()
    assert not found.ok
    assert "WooCommerce" in found.steps[-1].message


def test_an_inactive_site_s_delivery_is_told_to_be_ignored(woo: WooCommerceShop, receivers: str) -> None:
    execute("UPDATE rm_sites SET active = false")

    found = trial.send(_registered(woo, receivers))

    assert not found.ok
    assert "ignored: the site is not active" in found.steps[-1].message


def test_before_there_is_a_secret_it_says_to_register_first(woo: WooCommerceShop, receivers: str) -> None:
    with pytest.raises(ConfigurationError, match="register"):
        trial.send(ready(woo, receivers))


def test_in_a_rotation_both_secrets_count_until_the_old_one_s_time_is_over(
    woo: WooCommerceShop, receivers: str
) -> None:
    site = _registered(woo, receivers)
    product = woo.add_stocked("ROTATE-1", in_bc=3)
    woo.handle.wait_quiet()
    new = "cd" * 32
    sites.change(site.id, parse(SiteChange, {"webhook_secret": new}), requested_by="test")

    def delivered() -> list[int | None]:
        """The answers to what the shop, which knows the secret it was given last, sends now."""
        before = len(woo.handle.deliveries(topic="product.updated"))
        woo.handle.emit("product.updated", product)
        eventually(
            lambda: len(woo.handle.deliveries(topic="product.updated")) > before, seconds=10, what="it"
        )
        return [sent.status for sent in woo.handle.deliveries(topic="product.updated")][before:]

    eventually(
        lambda: trial.send(again(site), follow_seconds=0.1).steps[1].ok, seconds=10, what="the new secret"
    )
    assert delivered() == [200]  # and the old one still
    register(again(site))
    assert delivered() == [200]  # the shop has the new one now
    assert len(hooks(woo)) == 4
    sites.change(site.id, parse(SiteChange, {"webhook_secret": "ab" * 32}), requested_by="test")
    register(again(site))
    assert delivered() == [200]  # no receiver was still without the new one, whose delivery would be lost

    sites.change(site.id, parse(SiteChange, {"webhook_secret": "ef" * 32,
                                             "webhook_secret_previous_until": None}), requested_by="test")  # fmt: skip
    eventually(lambda: delivered() == [401], seconds=10, what="the end of the old secret")
    setting.change("public_webhook_url", None)
    assert site.platform != BIGCOMMERCE
