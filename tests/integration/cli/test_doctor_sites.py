"""The doctor finds out how each company and each site is, without calling them."""

from __future__ import annotations

import json

import pytest

from models import config
from models.company import Company
from models.database import execute, rows, session
from models.site import Site
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_doctor import findings
from tests.integration.sync.working import drain, sync
from tests.places import bigcommerce_site, company
from tests.simulators.process import Simulators
from workers import execute as worker
from workers.full_sync.requests import request_sync


def test_a_site_and_a_company_that_work_say_when_they_did_last_and_what_is_refused_says_why(
    run: Run, database: str
) -> None:
    with Simulators.start(bc_items=20, bigcommerce_skus=10, woocommerce=0) as simulators:
        store = simulators.bigcommerce[0]
        owner = company(simulators.bc, name="Contoso")
        site = bigcommerce_site(owner, store, channel_ids=store.channel_ids, name="Outlet")
        assert sync(site.id).status == "completed"
        execute("UPDATE rm_sites SET last_synced_at = now() - interval '3 hours'")
        found = findings(run)
        assert found["site Outlet"]["state"] == "warning", "it has no webhooks"
        execute(
            "INSERT INTO rm_webhook_log (site_id, event_type) VALUES (%s, 'store/product/updated')",
            (site.id,),
        )
        found = findings(run)
        assert (found["site Outlet"]["state"], found["site Outlet"]["message"]) == (
            "ok",
            "last synced 3 hours ago",
        )
        assert found["company Contoso"]["message"].startswith("its stock was last read ")

        simulators.bc.revoke_tokens()
        with session():
            Company.update(client_secret="another one").execute()
            Site.update(access_token="another one").execute()
        execute("UPDATE rm_companies SET updated_at = now()")
        execute("UPDATE rm_sites SET updated_at = now()")
        sync(site.id)
        drain()

    found = findings(run)
    assert found["company Contoso"]["state"] == "problem"
    assert found["company Contoso"]["message"].startswith("Business Central refuses us: ")
    assert f"inventory-sync company test {owner.id}" in found["company Contoso"]["fix"]
    assert found["site Outlet"]["state"] == "problem"
    every = [finding["message"] for finding in said(run) if finding["check"] == "site Outlet"]
    assert any(message.startswith("its last sync failed: ") for message in every), every
    assert any(message.startswith("the shop refuses us: ") for message in every), every


def test_vendors_that_do_not_answer_are_told_once_the_breaker_is_open(
    run: Run, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOW_PRIVATE_ADDRESSES", "true")
    config.settings.cache_clear()
    request_sync(shop.id, requested_by="test")
    for _ in range(6):  # five failures in a row open it
        execute("UPDATE rm_queue SET available_at = now() WHERE status = 'pending'")
        for (job_id,) in rows("SELECT id FROM rm_queue WHERE status = 'pending'"):
            worker.execute(job_id)

    every = said(run)

    for check, who in (("company Contoso", "Business Central"), ("site Outlet", "the shop")):
        found = [
            f for f in every if f["check"] == check and f"{who} has not answered for " in str(f["message"])
        ]
        assert [(finding["state"], "test" in finding["fix"]) for finding in found] == [("problem", True)], (
            every
        )


def test_a_site_whose_last_good_sync_is_old_is_a_problem_unless_it_has_no_nights(
    run: Run, shop: Site
) -> None:
    assert findings(run)["site Outlet"]["message"] == "not synced yet"
    execute("UPDATE rm_sites SET last_synced_at = now() - interval '31 hours'")

    found = findings(run)["site Outlet"]
    assert (found["state"], found["message"]) == ("problem", "last synced 1 day ago: more than a night ago")
    assert f"inventory-sync sync {shop.id}" in found["fix"]

    execute('UPDATE rm_sites SET full_sync_enabled = false, webhooks = \'{"registered_at": "2026-01-01"}\'')
    assert findings(run)["site Outlet"]["state"] == "ok"

    execute("UPDATE rm_sites SET full_sync_enabled = true, active = false")
    assert "site Outlet" not in findings(run)


def test_a_site_that_was_never_synced_is_a_problem_after_its_first_night(run: Run, shop: Site) -> None:
    execute("UPDATE rm_sites SET created_at = now() - interval '2 days'")

    assert findings(run)["site Outlet"]["message"] == "not synced yet: more than a night ago"


def test_a_sync_that_is_held_is_a_problem_with_the_command_that_shows_it(run: Run, shop: Site) -> None:
    execute(
        "INSERT INTO rm_sync_runs (site_id, status, error) VALUES (%s, 'held', '40 of 90 SKUs')", (shop.id,)
    )

    found = findings(run)["site Outlet"]

    assert (found["state"], found["message"]) == ("problem", "its last sync is held: 40 of 90 SKUs")
    assert "inventory-sync release" in found["fix"]


def test_webhooks_that_a_shop_has_disabled_are_a_problem(run: Run, shop: Site) -> None:
    looked = {"registered_at": "2026-01-01", "topics": {"store/product/updated": {"state": "disabled"}}}
    execute("UPDATE rm_sites SET last_synced_at = now(), webhooks = %s", (json.dumps(looked),))

    found = findings(run)["site Outlet"]

    assert found["state"] == "problem"
    assert found["message"] == "the shop does not tell us of everything: store/product/updated is disabled"
    assert f"webhooks register {shop.id}" in found["fix"]


def said(run: Run) -> list[dict[str, str]]:
    """All that it found."""
    found: list[dict[str, str]] = json.loads(run("doctor", "--json").stdout)
    return found
