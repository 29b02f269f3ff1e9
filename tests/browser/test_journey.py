"""One walk through the real thing, from an empty installation to a token in use: every process is the real one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, expect

from models.database import row, rows
from tests.browser.town import QUICK, ROLES
from tests.browser.visitor import PASSWORD, Visitor
from tests.fleet import Fleet, eventually
from tests.receivers import Gunicorn
from tests.simulators.handles import BigCommerceHandle, BusinessCentralHandle
from tests.simulators.process import Simulators

PATIENCE_MS = 90_000  # for what workers do, on a machine that does other things as well
SLOW_MS = 120  # a call of the shop, so that there is some progress to see
SHOP = "Outdoor store"

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def installation(environment: dict[str, str]) -> Iterator[tuple[Gunicorn, Fleet]]:
    """The panel, workers, dispatcher and receivers, with nothing in them."""
    everything = {**environment, **QUICK}
    with Fleet(everything, ROLES) as fleet, Gunicorn(everything, role="web") as web:
        yield web, fleet


def test_from_an_empty_installation_to_shops_that_are_right(
    installation: tuple[Gunicorn, Fleet], browser: Browser
) -> None:
    web, fleet = installation
    with (
        Simulators.start(bc_items=150, bigcommerce_skus=120, woocommerce=0) as simulators,
        Visitor(browser, web.url) as anna,
    ):
        store = simulators.bigcommerce[0]
        store.set_landing(0, 0.1)
        make_the_first_user(anna)
        add_a_company(anna, simulators.bc)
        add_a_site(anna, store)
        sync_with_progress(anna, store)
        find_an_item(anna)
        release_what_the_guard_holds(anna, simulators.bc, store)
        replay_a_webhook(anna, fleet, store)
        change_retention(anna)
        make_a_token_and_use_it(anna)
        sign_out_everywhere(anna)


def make_the_first_user(anna: Visitor) -> None:
    anna.go("/")
    command = anna.page.locator("pre code").first.inner_text()
    assert command == "inventory-sync user create --name you --role admin"
    subprocess.run(
        [sys.executable, "-m", "api.cli", *command.replace("you", "anna").split()[1:]],
        input=f"{PASSWORD}\n{PASSWORD}\n",
        text=True,
        check=True,
        timeout=60,
    )
    anna.page.get_by_role("link", name="I have done that").click()
    anna.sign_in("anna")
    expect(anna.page.get_by_text("No shop is synced yet.")).to_be_visible()


def add_a_company(anna: Visitor, bc: BusinessCentralHandle) -> None:
    anna.go("/companies")
    anna.page.get_by_role("link", name="Add a company").first.click()
    dialog = anna.page.get_by_role("dialog")
    dialog.get_by_text("Addresses").click()
    for label, text in (
        ("Name", "Contoso"),
        ("Tenant", bc.tenant_id),
        ("Environment", bc.environment),
        ("Company id", bc.company_id),
        ("Client id", bc.client_id),
        ("API address", bc.api_url),
        ("Token address", bc.token_url),
    ):
        dialog.get_by_label(label).fill(text)
    with anna.expecting(422):
        dialog.get_by_role("button", name="Add the company").click()
        expect(dialog.get_by_text("is required")).to_be_visible()
    dialog.get_by_label("Client secret").fill(bc.client_secret)
    dialog.get_by_role("button", name="Add the company").click()
    expect(anna.page.get_by_role("row", name=re.compile("Contoso"))).to_be_visible()

    anna.page.get_by_role("button", name="Test").click()
    expect(dialog.get_by_text("ok").first).to_be_visible()
    assert dialog.get_by_text("failed").count() == 0
    dialog.get_by_role("link", name="Done").click()


def add_a_site(anna: Visitor, store: BigCommerceHandle) -> None:
    anna.go("/sites")
    anna.page.get_by_role("link", name="Add a site").first.click()
    dialog = anna.page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(SHOP)
    dialog.get_by_label("Platform").select_option("bigcommerce")
    dialog.get_by_label("Store hash").fill(store.store_hash)
    dialog.get_by_label("API address").fill(store.api_url)
    dialog.get_by_label("Access token").fill("not the token")
    with anna.expecting(422):
        dialog.get_by_role("button", name="Ask the store").click()
        expect(dialog.get_by_text("The store could not be asked.")).to_be_visible()
    dialog.get_by_label("Access token").fill(store.access_token)
    dialog.get_by_role("button", name="Ask the store").click()
    for channel in store.channel_ids:
        dialog.locator(f'input[name=channel_ids][value="{channel}"]').check()
    dialog.get_by_label(re.compile("^Webhook secret")).fill(store.client_secret)
    dialog.get_by_label("Start with a full sync now").uncheck()
    dialog.get_by_role("button", name="Add the site").click()
    expect(anna.page.get_by_role("heading", name=SHOP)).to_be_visible()
    assert anna.severe_problems() == []

    anna.page.get_by_role("button", name="Test connection").click()
    expect(dialog.get_by_role("link", name="Done")).to_be_visible()
    assert anna.severe_problems() == []
    dialog.get_by_role("link", name="Done").click()


def sync_with_progress(anna: Visitor, store: BigCommerceHandle) -> None:
    store.set_latency(SLOW_MS)
    anna.page.get_by_role("button", name="Resume").click()
    expect(anna.page.get_by_role("progressbar")).to_be_visible()
    expect(anna.page.get_by_text("Pages", exact=True)).to_be_visible()
    assert anna.severe_problems() == []
    expect(anna.page.get_by_role("progressbar")).to_have_count(0)  # by itself: nobody reloads
    expect(anna.page.get_by_role("row", name=re.compile(r"\b1\b.*completed"))).to_be_visible()
    store.set_latency(0)
    assert store.wait_until_landed().correct


def find_an_item(anna: Visitor) -> None:
    found = row(
        "SELECT sku, wanted FROM rm_items WHERE skip_reason IS NULL AND wanted > 0 ORDER BY id LIMIT 1"
    )
    assert found is not None
    anna.go("/items")
    anna.page.get_by_label("Search").fill(found[0])
    anna.page.get_by_role("button", name="Show").click()
    anna.page.get_by_role("row").get_by_role("link", name=found[0], exact=True).first.click()
    expect(anna.page.get_by_role("heading", name=found[0])).to_be_visible()
    expect(anna.page.get_by_text("Should show").locator("xpath=following-sibling::dd")).to_have_text(
        f"{found[1]:,}"
    )


def release_what_the_guard_holds(anna: Visitor, bc: BusinessCentralHandle, store: BigCommerceHandle) -> None:
    bc.set_stock({number: 0 for (number,) in rows("SELECT number FROM rm_stock WHERE quantity > 0")})
    anna.go("/sites")
    anna.page.get_by_role("link", name=SHOP).click()
    anna.page.get_by_role("button", name="Sync inventory").click()
    release = anna.page.get_by_role("button", name=re.compile("Release .* SKUs"))
    expect(release).to_be_visible()
    expect(anna.page.get_by_text("would fall to zero").first).to_be_visible()

    release.click()
    dialog = anna.page.get_by_role("dialog")
    expect(dialog.get_by_text(re.compile(r"\d+ SKUs will be set"))).to_be_visible()
    dialog.get_by_role("button", name="Keep as it is").click()
    assert row("SELECT count(*) FROM rm_sync_runs WHERE status = 'held'") == (1,)
    release.click()
    dialog.get_by_role("button", name=re.compile("Release .* SKUs")).click()

    expect(anna.page.get_by_role("heading", name="Sync 2", exact=True)).to_be_visible()
    expect(
        anna.page.locator(".verdict.good")
    ).to_be_visible()  # by itself, as soon as the released SKUs are set
    assert rows("SELECT status, released_by FROM rm_sync_runs WHERE id = 2") == [("completed", "user anna")]
    assert store.wait_until_landed().correct


def replay_a_webhook(anna: Visitor, fleet: Fleet, store: BigCommerceHandle) -> None:
    (site, product), *_ = rows(
        "SELECT site_id, product_id FROM rm_items WHERE skip_reason IS NULL ORDER BY id"
    )
    store.add_hook("store/product/updated", f"{fleet.webhook_url}/webhooks/bigcommerce/{site}")
    store.emit("store/product/updated", product_id=product)
    eventually(
        lambda: rows("SELECT status FROM rm_webhook_log") == [("completed",)], seconds=90, what="the delivery"
    )

    anna.go("/webhook-log")
    anna.page.get_by_role("table").get_by_role("link").first.click()
    expect(anna.page.get_by_role("heading", name="Delivery 1", exact=True)).to_be_visible()
    attempts = anna.page.get_by_role("heading", name="Attempts").locator("xpath=..").get_by_role("row")
    expect(attempts).to_have_count(2)  # with the head
    anna.page.get_by_role("button", name="Replay").click()
    expect(attempts).to_have_count(3)


def change_retention(anna: Visitor) -> None:
    anna.go("/settings")
    days = anna.page.get_by_label("Days of webhook deliveries")
    for wrong in ("0", "366"):
        days.fill(wrong)
        with anna.expecting(422):
            anna.page.get_by_role("button", name="Save retention").click()
            expect(
                anna.page.get_by_text("must be a whole number of days from 1 to 365.", exact=True)
            ).to_be_visible()
        assert days.evaluate("field => field === document.activeElement")
        assert rows("SELECT 1 FROM rm_settings") == []
    assert anna.severe_problems() == []
    days.fill("30")
    anna.page.get_by_role("button", name="Save retention").click()
    expect(anna.page.get_by_text("Retention: saved.")).to_be_visible()
    assert rows("SELECT key, value FROM rm_settings") == [("webhook_log_retention_days", 30)]


def make_a_token_and_use_it(anna: Visitor) -> None:
    anna.go("/access/tokens")
    anna.page.get_by_role("link", name="Make a token").click()
    anna.page.get_by_label("Name").fill("warehouse")
    anna.page.get_by_role("button", name="Make the token").click()
    token = anna.page.locator("#token-text").inner_text()
    assert token not in anna.page.url
    address, bearer = f"{anna.url}/api/v1/inventory/stats", {"Authorization": f"Bearer {token}"}
    assert requests.get(address, headers=bearer, timeout=30).status_code == 200

    anna.page.get_by_role("button", name="Close").click()
    expect(anna.page.locator("#token-text")).to_have_count(0)  # emptied by an event, a moment after the click
    assert token not in anna.page.content()
    anna.page.get_by_role("row", name=re.compile("warehouse")).get_by_role("button", name="Revoke").click()
    anna.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(anna.page.get_by_text("is revoked.")).to_be_visible()
    assert requests.get(address, headers=bearer, timeout=30).status_code == 401


def sign_out_everywhere(anna: Visitor) -> None:
    anna.go("/account")
    anna.page.get_by_role("button", name="Sign out everywhere").click()
    anna.page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(anna.page.get_by_text("You are signed out everywhere: of one browser.")).to_be_visible()
    anna.go("/settings")
    expect(anna.page.get_by_role("button", name="Sign in")).to_be_visible()
