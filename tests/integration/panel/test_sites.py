"""The sites in the panel: found, added and changed by forms, synced, tried, paused, deleted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from models.company import Company
from models.database import execute, row, rows, session
from models.site import Site
from tests.integration.panel.conftest import Person
from tests.integration.sync.shops import BigCommerceShop, Shops, WooCommerceShop
from tests.integration.sync.working import drain, sync
from workers import companies
from workers.companies import NewCompany
from workers.forms import parse

SECRETS = {
    "access_token": "canary-access-token",
    "consumer_key": "canary-consumer-key",
    "consumer_secret": "canary-consumer-secret",
    "webhook_secret": "canary-webhook-secret",
}
COMPANY = {
    "name": "Contoso",
    "tenant_id": "contoso.onmicrosoft.com",
    "environment": "Production",
    "company_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "client_id": "app",
    "client_secret": "canary-client-secret",
}


@pytest.fixture
def contoso(database: str) -> Company:
    """A company that nothing is read from."""
    return companies.create(parse(NewCompany, COMPANY))


def _typed(company: Company, platform: str = "bigcommerce", **changes: Any) -> dict[str, Any]:
    """What a browser sends: the fields that are shown for the platform."""
    own = (
        {"store_hash": "abc123", "access_token": SECRETS["access_token"], "channel_ids": "", "location_id": "",
         "api_url": ""}
        if platform == "bigcommerce"
        else {"url": "https://shop.example.com", "consumer_key": SECRETS["consumer_key"],
              "consumer_secret": SECRETS["consumer_secret"]}
    )  # fmt: skip
    common = {
        "name": "Outlet",
        "platform": platform,
        "company": str(company.id),
        "safety_stock": "0",
        "full_sync_time": "",
        "full_sync_enabled": "on",
        "webhook_secret": "",
        "webhook_header_value": "",
        "webhook_proofs": "signature",
    }
    return {**common, **own, **changes}


def _add(admin: Person, typed: dict[str, Any]) -> Any:
    admin.get("/sites/new")
    return admin.post("/sites/new", **typed)


def _site() -> Site:
    with session():
        found: Site = Site.get()
    return found


def _named(page: str) -> list[str]:
    return re.findall(r'<a href="/sites/\d+">([^<]+)</a>', page)


def _many(company: Company, number: int) -> None:
    execute(
        "INSERT INTO rm_sites (name, platform, company_id, store_key, store_hash)"
        " SELECT 'Shop ' || lpad(n::text, 3, '0'), 'bigcommerce', %s, 'b:' || n, 'hash' || n"
        " FROM generate_series(1, %s) n",
        (company.id, number),
    )


def test_without_a_company_the_page_asks_for_one_first(admin: Person, viewer: Person) -> None:
    page = admin.text("/sites")
    assert "Add a company" in page
    assert "Add a site" not in page
    assert "a company in Business Central, so that one is added first" in viewer.text("/sites")
    assert "Add a company" in admin.text("/sites/new")


def test_an_active_site_is_added_and_its_first_sync_asked_for(admin: Person, contoso: Company) -> None:
    answer = _add(admin, _typed(contoso, active="on", safety_stock="3", channel_ids="1, 2"))

    site = _site()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sites/{site.id}")
    assert (site.name, site.active, site.safety_stock, site.channel_ids) == ("Outlet", True, 3, [1, 2])
    assert site.api_url == "https://api.bigcommerce.com"
    assert rows("SELECT site_id, status, requested_by FROM rm_sync_runs") == [
        (site.id, "queued", "user admin")
    ]
    assert "its first full sync has been asked for" in admin.text(f"/sites/{site.id}")
    assert row("SELECT actor, subject FROM rm_audit_log WHERE action = 'site_editor.create'") == (
        "admin",
        f"site {site.id}",
    )


def test_a_woocommerce_site_that_is_only_stored_gets_a_secret_and_no_sync(
    admin: Person, contoso: Company
) -> None:
    _add(admin, _typed(contoso, "woocommerce"))

    site = _site()
    assert (site.active, site.url, site.store_hash) == (False, "https://shop.example.com", None)
    assert site.webhook_secret is not None
    assert rows("SELECT 1 FROM rm_sync_runs") == []


def test_no_page_shows_a_secret(admin: Person, contoso: Company) -> None:
    _add(admin, _typed(contoso, webhook_secret=SECRETS["webhook_secret"]))
    site = _site()

    for path in ("/", "/sites", f"/sites/{site.id}", f"/sites/{site.id}/edit", "/sites/new"):
        page = admin.text(path)
        assert not [secret for secret in SECRETS.values() if secret in page], path
    assert admin.text(f"/sites/{site.id}/edit").count("Leave empty to keep it") == 2
    assert "canary" not in str(rows("SELECT * FROM rm_audit_log"))


def test_what_is_wrong_stands_under_its_field_and_nothing_is_stored(admin: Person, contoso: Company) -> None:
    answer = _add(
        admin,
        _typed(contoso, name="7", safety_stock="many", full_sync_time="25:00", channel_ids="1, two"),
    )

    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "must not be a number" in page
    assert page.count("must be a whole number") == 2
    assert page.count('aria-invalid="true"') == 4
    assert 'value="many"' in page
    assert 'value="abc123"' in page, "what was right need not be typed again"
    assert SECRETS["access_token"] not in page
    assert rows("SELECT 1 FROM rm_sites") == []


def test_a_secret_that_is_missing_and_a_name_that_is_taken_are_told(admin: Person, contoso: Company) -> None:
    missing = _add(admin, _typed(contoso, access_token=""))
    assert missing.status_code == 422
    assert "is required" in missing.get_data(as_text=True)

    _add(admin, _typed(contoso))
    taken = _add(admin, _typed(contoso, "woocommerce"))
    assert taken.status_code == 409
    assert "another site has this name" in taken.get_data(as_text=True)
    assert len(rows("SELECT 1 FROM rm_sites")) == 1


def test_a_second_site_of_a_store_needs_channels_of_its_own_and_the_form_says_so(
    admin: Person, contoso: Company
) -> None:
    _add(admin, _typed(contoso, channel_ids="1"))

    none = _add(admin, _typed(contoso, name="Second"))
    assert none.status_code == 409
    page = none.get_data(as_text=True)
    assert "need channels of their own" in page.split('id="h-channel_ids"')[1]
    assert _add(admin, _typed(contoso, name="Second", channel_ids="1;2")).status_code == 409
    assert _add(admin, _typed(contoso, name="Second", channel_ids="2")).status_code == 303


def test_without_scripts_the_fields_of_the_other_platform_are_not_minded(
    admin: Person, contoso: Company
) -> None:
    both = {**_typed(contoso, "woocommerce"), "store_hash": "", "access_token": "", "api_url": "nonsense"}

    assert _add(admin, both).status_code == 303
    assert _site().platform == "woocommerce"


def test_a_change_touches_what_differs_and_keeps_secrets_that_were_left_empty(
    admin: Person, contoso: Company
) -> None:
    _add(admin, _typed(contoso, active="on"))
    before = _site()
    execute("UPDATE rm_sync_runs SET status = 'completed'")
    address = f"/sites/{before.id}/edit"

    admin.get(address)
    answer = admin.post(address, **_typed(contoso, access_token="", safety_stock="5", full_sync_time="03:30"))

    assert answer.status_code == 303
    after = _site()
    assert (after.safety_stock, after.full_sync_time, after.active) == (5, "03:30", True)
    assert after.access_token is not None
    assert after.access_token.reveal() == SECRETS["access_token"]
    assert row("SELECT detail -> 'fields' FROM rm_audit_log WHERE action = 'site_editor.change'") == (
        ["full_sync_time", "safety_stock"],
    )
    assert len(rows("SELECT 1 FROM rm_sync_runs WHERE status = 'queued'")) == 1, "stock that shows changes"

    admin.post(address, **_typed(contoso, access_token="another", safety_stock="5"))
    again = _site()
    assert again.access_token is not None
    assert (again.access_token.reveal(), again.full_sync_time) == ("another", None)


def test_a_secret_that_a_shop_can_do_without_is_removed_and_the_audit_log_says_which(
    admin: Person, contoso: Company
) -> None:
    _add(
        admin, _typed(contoso, webhook_secret=SECRETS["webhook_secret"], webhook_header_value="canary-header")
    )
    address = f"/sites/{_site().id}/edit"
    assert re.findall(r'name="(remove_\w+)"', admin.text(address)) == [
        "remove_webhook_secret",
        "remove_webhook_header_value",
    ], "not what the shop is read and written with"

    kept = _typed(contoso, access_token="")
    answer = admin.post(
        address,
        **kept,
        remove_webhook_header_value="on",
        remove_access_token="on",
        remove_webhook_secret="on",
    )

    assert answer.status_code == 303
    after = _site()
    assert after.webhook_header_value is None
    assert after.access_token is not None
    assert after.webhook_secret is None
    assert row("SELECT detail -> 'removed' FROM rm_audit_log WHERE action = 'site_editor.change'") == (
        ["webhook_header_value", "webhook_secret"],
    )
    assert "remove_" not in admin.text(address), "there is nothing left to remove"
    admin.post(address, **kept, remove_webhook_secret="on")
    assert "Nothing of Outlet was changed" in admin.text(f"/sites/{after.id}")


def test_a_secret_that_deliveries_must_prove_is_not_removed_and_the_form_says_why(
    admin: Person, contoso: Company
) -> None:
    _add(admin, _typed(contoso, webhook_header_value="canary-header", webhook_proofs="header"))
    address = f"/sites/{_site().id}/edit"
    typed = _typed(contoso, access_token="", webhook_proofs="header", remove_webhook_header_value="on")

    admin.get(address)
    refused = admin.post(address, **typed)

    assert refused.status_code == 422
    page = refused.get_data(as_text=True)
    assert "is required, since webhook_proofs lists `header`" in page
    assert re.search(r'name="remove_webhook_header_value" type="checkbox" value="on" checked', page)
    assert _site().webhook_header_value is not None

    admin.post(address, **{**typed, "webhook_header_value": "another"})
    again = _site().webhook_header_value
    assert again is not None
    assert again.reveal() == "another", "a new one replaces the old one, whatever is ticked"


def test_the_same_again_changes_nothing_and_says_so(admin: Person, contoso: Company) -> None:
    _add(admin, _typed(contoso))
    before = _site()

    admin.get(f"/sites/{before.id}/edit")
    admin.post(f"/sites/{before.id}/edit", **_typed(contoso, access_token=""))

    assert "Nothing of Outlet was changed" in admin.text(f"/sites/{before.id}")
    assert _site().updated_at == before.updated_at


def test_another_store_is_refused_under_its_field_once_there_are_items(
    admin: Person, contoso: Company
) -> None:
    _add(admin, _typed(contoso))
    site = _site()
    execute(
        "INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, tracking, observed_at)"
        " VALUES (%s, 1, 'A', 'A', 'A', 'product', now())",
        (site.id,),
    )

    answer = admin.post(f"/sites/{site.id}/edit", **_typed(contoso, access_token="", store_hash="other"))

    assert answer.status_code == 409
    assert "make a new site for another store" in answer.get_data(as_text=True)
    assert _site().store_hash == "abc123"


def test_the_store_that_is_being_typed_in_is_asked_for_its_channels_and_locations(
    admin: Person, owner: Company, simulators: Shops
) -> None:
    handle = simulators.bigcommerce[0]
    typed = _typed(
        owner, store_hash=handle.store_hash, access_token=handle.access_token, api_url=handle.api_url
    )
    admin.get("/sites/new")

    part = admin.client.post(
        "/sites/new/choices",
        data={"csrf_token": admin.token, **typed, "channel_ids": "1 99"},
        headers={"HX-Request": "true", "HX-Target": "store"},
    )

    page = part.get_data(as_text=True)
    assert part.status_code == 200
    assert "<html" not in page, "only the part of the form; the token stays where it was typed"
    assert handle.access_token not in page
    assert re.search(r'name="channel_ids" value="1" checked', page)
    assert "99 (not in this store)" in page
    assert re.search(r'<select id="f-location_id".*<option value="\d+"', page, re.S)
    assert rows("SELECT 1 FROM rm_sites") == []


def test_a_stored_store_is_asked_with_the_token_that_is_stored(
    admin: Person, owner: Company, store: BigCommerceShop
) -> None:
    site = store.site
    admin.get(f"/sites/{site.id}/edit")
    typed = _typed(owner, store_hash=site.store_hash, access_token="", api_url=site.api_url)

    page = admin.post(f"/sites/{site.id}/choices", **typed).get_data(as_text=True)

    assert "<html" in page, "without scripts it is the whole form again"
    assert 'type="checkbox" name="channel_ids"' in page


def test_a_store_that_can_t_be_asked_says_why_and_the_form_stays(
    admin: Person, owner: Company, simulators: Shops
) -> None:
    handle = simulators.bigcommerce[0]
    admin.get("/sites/new")

    missing = admin.post("/sites/new/choices", **_typed(owner, access_token=""))
    assert missing.status_code == 422
    assert "Access token is needed to ask the store" in missing.get_data(as_text=True)

    wrong = _typed(owner, store_hash=handle.store_hash, access_token="wrong", api_url=handle.api_url)
    refused = admin.post("/sites/new/choices", **wrong)
    assert refused.status_code == 422
    page = refused.get_data(as_text=True)
    assert "The store could not be asked." in page
    assert f'value="{handle.store_hash}"' in page


def test_a_connection_is_tried_at_both_ends_and_each_finding_is_shown(
    admin: Person, woo: WooCommerceShop
) -> None:
    right = admin.post(f"/sites/{woo.site.id}/test").get_data(as_text=True)
    assert "checks passed." in right

    with session():
        Site.update(consumer_secret="wrong").where(Site.id == woo.site.id).execute()
    wrong = admin.post(f"/sites/{woo.site.id}/test")
    page = wrong.get_data(as_text=True)
    assert wrong.status_code == 200
    assert ">failed</span>" in page
    assert f'href="/sites/{woo.site.id}/edit"' in page


def test_a_sync_is_asked_for_by_name_and_asked_again_joins_it(operator: Person, contoso: Company) -> None:
    _many(contoso, 1)
    site_id = _site().id
    operator.get("/sites")

    answer = operator.post(f"/sites/{site_id}/sync")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sites/{site_id}")
    assert "has been asked for." in operator.text(f"/sites/{site_id}")
    operator.post(f"/sites/{site_id}/sync")

    assert "had been asked for already" in operator.text(f"/sites/{site_id}")
    assert rows("SELECT requested_by FROM rm_sync_runs") == [("user operator",)]


def test_all_active_sites_are_synced_at_once_and_a_paused_one_is_not(
    operator: Person, contoso: Company
) -> None:
    _many(contoso, 3)
    execute("UPDATE rm_sites SET active = false WHERE name = 'Shop 002'")

    operator.post("/sites/sync")

    assert len(rows("SELECT 1 FROM rm_sync_runs")) == 2
    page = operator.text("/sites?state=syncing")
    assert "2 sites are synced now" in page
    assert _named(page) == ["Shop 001", "Shop 003"]


def test_a_paused_site_is_not_synced_and_resuming_it_starts_a_full_sync(
    admin: Person, contoso: Company
) -> None:
    _many(contoso, 1)
    site_id = _site().id
    admin.get("/sites")

    admin.post(f"/sites/{site_id}/pause")
    page = admin.text(f"/sites/{site_id}")
    assert "This shop is paused" in page
    assert "Sync inventory" not in page
    refused = admin.post(f"/sites/{site_id}/sync")
    assert refused.status_code == 409
    assert "make it active first" in refused.get_data(as_text=True)
    assert rows("SELECT 1 FROM rm_sync_runs") == []

    admin.post(f"/sites/{site_id}/resume")
    assert "Shop 001 is active again" in admin.text(f"/sites/{site_id}")
    assert len(rows("SELECT 1 FROM rm_sync_runs WHERE status = 'queued'")) == 1


def test_before_a_site_is_deleted_the_page_says_what_goes_with_it(
    admin: Person, store: BigCommerceShop
) -> None:
    store.add_stocked("A", in_bc=3)
    sync(store.site.id)
    execute("INSERT INTO rm_site_figures (site_id, active) VALUES (%s, 1)", (store.site.id,))

    page = admin.text(f"/sites/{store.site.id}/delete")
    assert "1 SKU, with what was sent" in page
    assert "The shop itself is left as it is" in page
    assert rows("SELECT 1 FROM rm_sites") != [], "asking deletes nothing"

    answer = admin.post(f"/sites/{store.site.id}/delete")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sites")
    assert admin.get(f"/sites/{store.site.id}").status_code == 404
    assert "being deleted</span>" in admin.text("/sites?state=leaving")
    assert _named(admin.text("/sites")) == [], "no way leads to it any more"
    assert "it is paused" not in admin.text("/")
    assert store.site.name not in admin.text("/").replace(f"{store.site.name} is deleted", "")

    drain()
    assert rows("SELECT 1 FROM rm_sites UNION ALL SELECT 1 FROM rm_items") == []
    assert store.site.name not in admin.text("/sites")


def test_sites_come_by_name_a_page_at_a_time_each_once(
    viewer: Person, contoso: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.panel.asked.PAGE", 4)
    _many(contoso, 9)
    execute("UPDATE rm_sites SET name = 'ÉTÉ\u00a0shop' WHERE name = 'Shop 004'")  # no plain letters

    seen: list[str] = []
    path = "/sites"
    while path:
        page = viewer.text(path)
        seen += _named(page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        path = found.group(1) if found else ""

    assert sorted(seen) == sorted(name for (name,) in rows("SELECT name FROM rm_sites"))


def test_a_site_is_found_by_name_company_address_platform_and_state(viewer: Person, contoso: Company) -> None:
    _many(contoso, 12)
    execute("UPDATE rm_sites SET active = false WHERE name = 'Shop 007'")
    execute("UPDATE rm_sites SET last_synced_at = now() WHERE name <> 'Shop 008'")
    execute(
        "INSERT INTO rm_alerts (kind, subject, site_id, sentence) SELECT 'x', 'site:' || id, id, 'Look.'"
        " FROM rm_sites WHERE name = 'Shop 009'"
    )

    assert _named(viewer.text("/sites?q=SHOP+01")) == ["Shop 010", "Shop 011", "Shop 012"]
    assert _named(viewer.text("/sites?q=hash5")) == ["Shop 005"]
    assert len(_named(viewer.text("/sites?q=contoso"))) == 12
    assert _named(viewer.text("/sites?state=paused")) == ["Shop 007"]
    assert _named(viewer.text("/sites?state=never")) == ["Shop 008"]
    assert _named(viewer.text("/sites?state=needs")) == ["Shop 009"]
    assert _named(viewer.text("/sites?type=woocommerce")) == []
    assert "No site is like that" in viewer.text("/sites?q=%00%25_nothing")
    assert len(_named(viewer.text("/sites?state=nonsense&type=x"))) == 12


def test_a_cursor_that_is_none_of_ours_is_refused_in_words(viewer: Person, contoso: Company) -> None:
    answer = viewer.get("/sites?cursor=nonsense")

    assert answer.status_code == 422
    assert "is not a cursor of this list" in answer.get_data(as_text=True)


def test_the_list_refreshes_by_a_part_of_itself(viewer: Person, contoso: Company) -> None:
    _many(contoso, 1)

    part = viewer.get("/sites", headers={"HX-Request": "true", "HX-Target": "sites"}).get_data(as_text=True)

    assert "Shop 001" in part
    assert "<html" not in part
    assert 'name="q"' not in part


def test_only_what_a_person_may_do_is_offered(
    viewer: Person, operator: Person, admin: Person, contoso: Company
) -> None:
    _many(contoso, 1)
    path = f"/sites/{_site().id}"

    def offered(person: Person) -> list[str]:
        page = person.text(path) + person.text("/sites")
        return [
            name
            for name in ("Sync inventory", "Test connection", "Pause", "Delete", "Add a site", "Sync all")
            if f">{name}<" in page
        ]

    assert offered(viewer) == []
    assert offered(operator) == ["Sync inventory", "Sync all"]
    assert len(offered(admin)) == 6


def test_the_overview_leads_to_each_site(viewer: Person, contoso: Company) -> None:
    _many(contoso, 1)

    assert _named(viewer.text("/")) == ["Shop 001"]
