"""Registering webhooks at a shop: what is missing comes, what is stale of ours goes, others' hooks stay."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import setting
from models.database import db, execute, row, rows, session
from models.site import BIGCOMMERCE, Site
from tests.integration.sync.shops import BigCommerceShop, Shop, WooCommerceShop
from tests.integration.webhooks.registering import (
    ADDRESS,
    ELSEWHERE,
    add,
    again,
    hooks,
    path,
    ready,
    syncs,
    writes,
)
from workers.connections import shop_client
from workers.errors import ConfigurationError, Conflict, RemoteError
from workers.full_sync.requests import request_sync
from workers.webhooks import hook_plan, registration
from workers.webhooks.proofs import TOKEN_HEADER
from workers.webhooks.registration import register, status


def _topic(shop: Shop) -> str:
    return "store/product/updated" if shop.site.platform == BIGCOMMERCE else "product.updated"


def test_every_topic_is_registered_once_at_the_site_s_own_address(shop: Shop) -> None:
    site = ready(shop)

    report = register(site)

    found = hooks(shop)
    assert sorted(hook.topic for hook in found) == sorted(hook_plan.topics(site))
    assert {hook.destination for hook in found} == {ADDRESS + path(shop)}
    assert all(hook.active for hook in found)
    assert report.healthy
    assert sorted(report.created) == sorted(hook_plan.topics(site))


def test_a_second_register_changes_nothing(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    before = hooks(shop)
    shop.handle.reset()

    report = register(site)

    assert hooks(shop) == before
    assert writes(shop) == {}
    assert sorted(report.kept) == sorted(hook_plan.topics(site))
    assert (report.created, report.removed, report.restored, report.updated) == ((), (), (), ())
    assert syncs(site) == []


def test_another_app_s_hooks_are_never_touched(shop: Shop) -> None:
    site = ready(shop)
    theirs = [
        add(shop, _topic(shop), "http://localhost:9/hooks/theirs"),
        add(shop, _topic(shop), f"http://localhost:9{path(shop)}1"),  # another site of ours: 1 and 11
        add(shop, _topic(shop), f"http://localhost:9{path(shop)}/more"),
    ]
    before = [hook for hook in hooks(shop) if hook.id in theirs]

    report = register(site)
    shop.handle.disable_hook(theirs[0])
    register(site)

    assert [hook.id for hook in hooks(shop) if hook.id in theirs] == [hook.id for hook in before]
    assert not next(hook for hook in hooks(shop) if hook.id == theirs[0]).active
    assert report.others == 3
    assert report.removed == ()


def test_ours_for_another_host_a_second_one_and_one_of_no_use_are_removed(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    unknown = "store/order/created" if site.platform == BIGCOMMERCE else "coupon.created"
    unknown = unknown if site.platform == BIGCOMMERCE else "action.woocommerce_new_order"
    stale = {
        add(shop, _topic(shop), ELSEWHERE + path(shop)),
        add(shop, _topic(shop), ADDRESS + path(shop)),
        add(shop, unknown, ADDRESS + path(shop)),
    }
    assert status(again(site)).stale == 3

    report = register(site)

    assert not stale & {hook.id for hook in hooks(shop)}
    assert len(report.removed) == 3
    assert len(hooks(shop)) == len(hook_plan.topics(site))


def test_a_new_public_address_moves_every_hook(woo: WooCommerceShop) -> None:
    site = ready(woo)
    register(site)
    setting.change("public_webhook_url", f"{ELSEWHERE}/below/a/path/")

    register(site)

    assert {hook.destination for hook in hooks(woo)} == {f"{ELSEWHERE}/below/a/path{path(woo)}"}
    assert len(hooks(woo)) == len(hook_plan.topics(site))


def test_two_registrations_at_once_make_no_duplicates(shop: Shop) -> None:
    site = ready(shop)
    shop.handle.set_latency(20)
    start = threading.Barrier(3)

    def one(_: int) -> tuple[int, int]:
        start.wait()
        try:
            report = register(site)
        finally:
            db.close()
        return len(report.created), len(report.kept)

    with ThreadPoolExecutor(3) as pool:
        outcomes = sorted(pool.map(one, range(3)))
    shop.handle.set_latency(0)

    topics = len(hook_plan.topics(site))
    assert outcomes == [(0, topics), (0, topics), (topics, 0)]
    assert len(hooks(shop)) == topics
    assert rows("SELECT count(*) FROM rm_store_leases") == [(0,)]


def test_registering_by_hand_restores_what_was_disabled_and_asks_for_a_sync(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    disabled = next(hook for hook in hooks(shop) if hook.topic == _topic(shop))
    shop.handle.disable_hook(disabled.id)
    assert {topic.topic: topic.state for topic in status(site).topics}[_topic(shop)] == "disabled"

    report = register(site)

    assert report.restored == (_topic(shop),)
    (restored,) = (hook for hook in hooks(shop) if hook.topic == _topic(shop))
    assert restored.active
    assert len(syncs(site)) == 1
    assert "disabled" in syncs(site)[0]
    assert report.sync_run_id is not None


def test_bigcommerce_is_reactivated_and_woocommerce_made_anew_since_its_count_of_failures_stays(
    store: BigCommerceShop, woo: WooCommerceShop
) -> None:
    for shop, same in ((store, True), (woo, False)):
        site = ready(shop)
        register(site)
        disabled = hooks(shop)[0]
        shop.handle.disable_hook(disabled.id)

        register(site)

        assert (disabled.id in {hook.id for hook in hooks(shop)}) is same


def test_a_repair_that_dies_half_way_is_followed_by_its_sync_all_the_same(shop: Shop) -> None:
    site = ready(shop)
    register(site)
    shop.handle.disable_hook(hooks(shop)[-1].id)
    route = "PUT /hooks/{id}" if site.platform == BIGCOMMERCE else "DELETE /webhooks/{id}"
    shop.handle.set_faults(rules=[{"route": route, "kind": "500", "nth": 1}])

    with pytest.raises(RemoteError):
        register(site)
    shop.handle.set_faults()
    assert syncs(site) == []

    assert register(site).healthy
    assert len(syncs(site)) == 1
    assert len(hooks(shop)) == len(hook_plan.topics(site))


def test_looking_stores_what_was_found_and_does_not_count_as_a_change_of_the_site(
    woo: WooCommerceShop,
) -> None:
    site = ready(woo)
    register(site)
    before = again(site).updated_at
    woo.handle.disable_hook(hooks(woo)[0].id)

    report = status(site)

    stored = again(site)
    assert not report.healthy
    assert sorted(topic["state"] for topic in stored.webhooks["topics"].values())[0] == "disabled"
    assert stored.webhooks_checked_at is not None
    assert stored.updated_at == before
    assert syncs(site) == []


def test_looking_before_anything_was_registered_tells_what_is_missing(woo: WooCommerceShop) -> None:
    report = status(ready(woo))

    assert {topic.state for topic in report.topics} == {"missing"}
    assert writes(woo) == {}


def test_the_last_delivery_of_each_topic_is_told_and_forgeries_do_not_count(woo: WooCommerceShop) -> None:
    site = ready(woo)
    register(site)
    heard, forged = hook_plan.topics(site)[:2]
    for topic, state in ((heard, "completed"), (forged, "rejected")):
        execute(
            "INSERT INTO rm_webhook_log (site_id, event_type, status) VALUES (%s, %s, %s)",
            (site.id, topic, state),
        )

    last = {topic.topic: topic.last_delivery_at for topic in status(site).topics}

    assert [topic for topic, moment in last.items() if moment is not None] == [heard]


def test_a_missing_public_address_is_named_with_how_to_set_it(woo: WooCommerceShop) -> None:
    site = ready(woo, address=None)

    with pytest.raises(ConfigurationError) as refused:
        register(site)

    assert refused.value.field == "public_webhook_url"
    assert "/api/v1/settings" in refused.value.message
    assert writes(woo) == {}


def test_bigcommerce_without_the_app_s_secret_is_refused_with_the_field(store: BigCommerceShop) -> None:
    site = ready(store)
    with session():
        Site.update(webhook_secret=None).where(Site.id == site.id).execute()

    with pytest.raises(ConfigurationError) as refused:
        register(site)

    assert refused.value.field == "webhook_secret"
    assert hooks(store) == []


def test_a_secret_header_is_made_once_kept_encrypted_and_sent_along(store: BigCommerceShop) -> None:
    site = ready(store)
    with session():
        Site.update(webhook_secret=None, webhook_proofs=["header"]).where(Site.id == site.id).execute()

    register(site)
    register(site)

    stored = again(site).webhook_header_value
    assert stored is not None
    assert {hook["headers"][TOKEN_HEADER] for hook in store.handle.hooks()} == {stored.reveal()}
    assert rows("SELECT webhook_header_value FROM rm_sites") != [(stored.reveal(),)]


def test_a_changed_header_reaches_the_hooks_that_are_there(store: BigCommerceShop) -> None:
    site = ready(store)
    register(site)
    with session():
        Site.update(webhook_header_value="a-new-value", webhook_proofs=["signature", "header"]).execute()
    before = hooks(store)

    report = register(site)

    assert hooks(store) == before
    assert len(report.updated) == len(before)
    assert {hook["headers"][TOKEN_HEADER] for hook in store.handle.hooks()} == {"a-new-value"}


def test_woocommerce_gets_a_secret_of_ours_in_hex_and_a_header_is_refused(woo: WooCommerceShop) -> None:
    site = ready(woo)

    register(site)

    secret = again(site).webhook_secret
    assert secret is not None
    assert len(bytes.fromhex(secret.reveal())) == 32
    with session():
        Site.update(webhook_proofs=["header"]).execute()
    with pytest.raises(ConfigurationError) as refused:
        register(site)
    assert refused.value.field == "webhook_proofs"


def test_channels_of_a_site_are_listened_to_and_forgotten_with_them(store: BigCommerceShop) -> None:
    site = ready(store)
    register(site)
    ours = {hook.topic for hook in hooks(store) if "/channel/" in hook.topic}
    assert ours == {
        f"store/channel/{channel}/product/{event}"
        for channel in site.channel_ids
        for event in ("assigned", "unassigned")
    }

    with session():
        Site.update(channel_ids=[]).execute()
    register(site)

    assert not [hook for hook in hooks(store) if "/channel/" in hook.topic]


def test_a_full_scope_is_told_and_a_stale_one_of_ours_makes_room(store: BigCommerceShop) -> None:
    site = ready(store)
    first = hook_plan.BIGCOMMERCE_SCOPES[0]
    stale = add(store, first, ELSEWHERE + path(store))
    for number in range(9):
        add(store, first, f"http://localhost:9/theirs/{number}")

    register(site)

    assert stale not in {hook.id for hook in hooks(store)}
    for hook in store.handle.hooks():
        if hook["destination"].endswith(path(store)) and hook["scope"] == first:
            shop_client(site).hooks().delete(hook["id"])
    add(store, first, "http://localhost:9/theirs/9")
    with pytest.raises(Conflict) as full:
        register(site)
    assert full.value.code == "too_many_hooks"
    assert "10" in full.value.message
    assert store.handle.counts()["refusals"] == {}


def test_an_inactive_site_can_be_registered_and_is_not_synced(woo: WooCommerceShop) -> None:
    site = ready(woo)
    register(site)
    execute("UPDATE rm_sites SET active = false WHERE id = %s", (site.id,))
    woo.handle.disable_hook(hooks(woo)[0].id)

    assert register(site).healthy

    assert syncs(site) == []
    assert row("SELECT webhooks ? 'gap' FROM rm_sites WHERE id = %s", (site.id,)) == (False,)


def test_while_another_registration_takes_too_long_one_is_told_so(
    woo: WooCommerceShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = ready(woo)
    monkeypatch.setattr(registration, "WAIT_SECONDS", 0.2)

    def too_late() -> str:
        try:
            register(site)
        except Conflict as conflict:
            return conflict.code
        finally:
            db.close()
        return "registered"

    with registration.locked(site.id), ThreadPoolExecutor(1) as pool:
        assert pool.submit(too_late).result() == "registration_runs"
    assert register(site).healthy


def test_ours_are_found_behind_many_of_others(woo: WooCommerceShop) -> None:
    site = ready(woo)
    for number in range(101):  # a page holds a hundred
        add(woo, "product.updated", f"http://localhost:9/theirs/{number}")
    register(site)

    report = register(site)

    assert (len(report.kept), report.others) == (4, 101)
    assert len(hooks(woo)) == 105


def test_the_sync_after_a_gap_is_not_one_that_had_listed_the_shop_before(woo: WooCommerceShop) -> None:
    site = ready(woo)
    register(site)
    request_sync(site.id, requested_by="somebody")
    execute("UPDATE rm_sync_runs SET status = 'running', list_started_at = now()")
    woo.handle.disable_hook(hooks(woo)[0].id)

    report = register(site)

    assert syncs(site)[0] == "somebody"
    assert "disabled" in syncs(site)[1]
    assert row("SELECT max(id) FROM rm_sync_runs") == (report.sync_run_id,)
