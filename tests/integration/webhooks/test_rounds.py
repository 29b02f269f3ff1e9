"""The hourly look: once a site and hour, whoever asks; what the vendor disabled comes back, and a sync follows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from models import setting
from models.database import db, execute, row, rows, session, transaction
from models.site import BIGCOMMERCE, Site
from tests.fleet import eventually
from tests.integration.sync.shops import Shop, WooCommerceShop
from tests.integration.sync.working import do_next
from tests.integration.webhooks.registering import (
    ADDRESS,
    ELSEWHERE,
    add,
    an_hour_later,
    hooks,
    path,
    ready,
    syncs,
    writes,
)
from workers import dispatcher
from workers.webhooks import hook_plan, rounds
from workers.webhooks.registration import register


def _look(shop: Shop) -> tuple[str, str | None]:
    """An hour goes by, and the site is looked at; gives how that ended."""
    an_hour_later(shop.site)
    assert rounds.begin() == 1
    job_id = do_next(rounds.KIND)
    found = row("SELECT status, error FROM rm_queue WHERE id = %s", (job_id,))
    assert found is not None
    return found[0], found[1]


def test_a_disabled_webhook_comes_back_and_a_sync_follows(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    lost = hooks(shop)[1]
    shop.handle.disable_hook(lost.id)

    assert _look(shop) == ("completed", None)

    assert [hook.active for hook in hooks(shop) if hook.topic == lost.topic] == [True]
    assert len(syncs(site)) == 1
    assert "disabled" in syncs(site)[0]
    assert _look(shop) == ("completed", None)
    assert len(syncs(site)) == 1


def test_a_deleted_webhook_is_made_again_and_a_sync_follows(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    shop.handle.forget_hooks()

    _look(shop)

    assert sorted(hook.topic for hook in hooks(shop)) == sorted(hook_plan.topics(site))
    assert len(syncs(site)) == 1
    assert "missing" in syncs(site)[0]
    assert row("SELECT priority FROM rm_sync_runs") == (50,)


def test_what_is_well_costs_one_call_and_changes_nothing(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    stale = add(shop, hooks(shop)[0].topic, ELSEWHERE + path(shop))  # perhaps another installation's
    shop.handle.reset()

    _look(shop)

    assert writes(shop) == {}
    assert sum(shop.handle.calls().values()) <= 2
    assert stale in {hook.id for hook in hooks(shop)}
    assert syncs(site) == []


def test_an_outage_of_the_shop_is_waited_for(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    shop.handle.disable_hook(hooks(shop)[0].id)
    shop.handle.set_faults(rate=1.0, mix={"500": 1}, seed=1)

    status, error = _look(shop)

    assert status == "pending"
    assert error is not None
    shop.handle.set_faults()
    execute("UPDATE rm_queue SET available_at = now()")
    do_next(rounds.KIND)
    assert all(hook.active for hook in hooks(shop))
    assert len(syncs(site)) == 1


def test_a_look_without_the_public_address_fails_with_its_name(woo: WooCommerceShop) -> None:
    register(ready(woo))
    setting.change("public_webhook_url", None)

    status, error = _look(woo)

    assert status == "failed"
    assert error is not None
    assert error.startswith("public_webhook_url:")


def test_each_site_is_looked_at_once_an_hour_however_many_dispatchers_ask(woo: WooCommerceShop) -> None:
    with session():
        fields = {**woo.site.__data__, "webhooks": {"registered_at": "2026-01-01T00:00:00Z"}}
        del fields["id"]
        for number in range(30):
            Site.create(**{**fields, "name": f"Copy {number}", "url": f"http://{number}.example"})
        Site.create(**{**fields, "name": "Never registered", "webhooks": {}})
        Site.create(**{**fields, "name": "Paused", "active": False})
    start = threading.Barrier(4)

    def dispatch(_: int) -> int:
        start.wait()
        try:
            return rounds.begin() + rounds.begin()
        finally:
            db.close()

    with ThreadPoolExecutor(4) as pool:
        begun = sum(pool.map(dispatch, range(4)))

    assert begun == 30
    asked = rows("SELECT s.name FROM rm_queue q JOIN rm_sites s ON s.id = q.site_id")
    assert {name for (name,) in asked} == {f"Copy {number}" for number in range(30)}


def test_sites_are_spread_over_the_hour_and_what_was_looked_at_lately_waits(woo: WooCommerceShop) -> None:
    with session():
        fields = {**woo.site.__data__, "webhooks": {"registered_at": "2026-01-01T00:00:00Z"}}
        del fields["id"]
        for number in range(60):
            Site.create(**{**fields, "name": f"Copy {number}", "url": f"http://{number}.example"})
    # As if all had been looked at half an hour ago: due are those alone whose hour has begun since then.
    execute("UPDATE rm_sites SET webhooks_checked_at = now() - interval '30 minutes'")

    begun = rounds.begin()

    assert 25 <= begun <= 35
    execute("DELETE FROM rm_queue")
    execute("UPDATE rm_sites SET webhooks_checked_at = now()")
    assert rounds.begin() <= 1  # the one whose hour begins this very second


def test_the_dispatcher_begins_what_is_due(woo: WooCommerceShop) -> None:
    site = ready(woo)
    register(site)
    an_hour_later(site)

    dispatcher.turn(heal=True)

    assert rows("SELECT site_id FROM rm_queue WHERE kind = %s", (rounds.KIND,)) == [(site.id,)]


def test_the_hourly_look_hands_a_new_secret_to_woocommerce(woo: WooCommerceShop) -> None:
    site = ready(woo)
    register(site)
    with session():
        Site.update(webhook_secret="ab" * 32).where(Site.id == site.id).execute()
    execute("UPDATE rm_sites SET updated_at = now() - interval '1 minute'")
    woo.handle.reset()

    _look(woo)

    assert site.platform != BIGCOMMERCE
    assert writes(woo) == {"PUT /webhooks/{id}": 4}
    assert {hook.destination for hook in hooks(woo)} == {ADDRESS + path(woo)}
    assert syncs(site) == []
    woo.handle.reset()
    _look(woo)
    assert writes(woo) == {}


def test_looks_do_not_pile_up_behind_one_that_waits_for_the_shop(woo: WooCommerceShop) -> None:
    site = ready(woo)
    register(site)
    an_hour_later(site)
    assert rounds.begin() == 1

    execute("UPDATE rm_queue SET unique_key = 'the hour before'")

    assert rounds.begin() == 0


def test_a_look_that_has_failed_is_not_repeated_within_its_hour(woo: WooCommerceShop) -> None:
    register(ready(woo))
    an_hour_later(woo.site)
    assert rounds.begin() == 1

    execute("UPDATE rm_queue SET status = 'failed', finished_at = now()")

    assert rounds.begin() == 0


def test_of_two_dispatchers_that_decide_at_the_same_moment_one_begins(woo: WooCommerceShop) -> None:
    register(ready(woo))
    an_hour_later(woo.site)

    def other() -> int:
        try:
            return rounds.begin()
        finally:
            db.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction():
            assert rounds.begin() == 1
            second = pool.submit(other)  # it can't see our row yet, and must wait for what becomes of it
            eventually(
                lambda: row("SELECT 1 FROM pg_locks WHERE NOT granted") is not None,
                seconds=10,
                every=0.02,
                what="the second dispatcher's wait",
            )
        assert second.result() == 0
