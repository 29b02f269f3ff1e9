"""Every page that can be opened, in light and dark, wide and narrow: readable, reachable, without a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect

from api.app import create_app
from tests.browser.addresses import pages_of, wait_until_drawn
from tests.browser.keyboard import ANNOUNCED, FOCUSED, focused, step, walk_to
from tests.browser.town import Town, lived_in
from tests.browser.visitor import DARK, NARROW, NARROWEST, Visitor
from tests.conftest import settings_on
from tests.fleet import eventually
from tests.servers import Servers

OPEN = "/sign-in"


@pytest.fixture(scope="module")
def town(servers: Servers) -> Iterator[Town]:
    """One for all tests of this file: they only look."""
    with (
        pytest.MonkeyPatch.context() as patch,
        settings_on(servers, patch) as environment,
        lived_in(environment) as place,
    ):
        yield place


@pytest.fixture(scope="module")
def app(town: Town) -> Flask:
    """Only asked for its addresses; who answers is the real process."""
    return create_app()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, town: Town) -> Any:
    """What a browser keeps once anna, an admin, has signed in."""
    with Visitor(browser, town.web.url) as visitor:
        visitor.sign_in("anna")
        return visitor.context.storage_state()


@pytest.fixture
def anna(browser: Browser, town: Town, signed_in: Any) -> Iterator[Visitor]:
    """An admin, signed in."""
    with Visitor(browser, town.web.url, signed_in=signed_in) as visitor:
        yield visitor


def faults_of(visitor: Visitor, address: str) -> list[str]:
    """What is wrong with a page, in both colours and at all widths."""
    answer = visitor.go(address)
    if answer.status != 200:
        return [f"answers {answer.status}"]
    wait_until_drawn(visitor.page, address)
    return visitor.troubles()


@pytest.mark.timeout(600)
def test_no_page_has_a_serious_problem_in_any_colour_or_width(app: Flask, town: Town, anna: Visitor) -> None:
    wrong = {address: faults_of(anna, address) for address in pages_of(app, town.ids)}

    assert [f"{address}: {fault}" for address, faults in wrong.items() for fault in faults] == []


@pytest.mark.timeout(300)
def test_dialogs_errors_and_empty_lists_have_none_either(town: Town, anna: Visitor) -> None:
    wrong: dict[str, list[str]] = {}
    page, dialog = anna.page, anna.page.get_by_role("dialog")
    site = f"/sites/{town.ids['site_id']}"

    def open_sheet(address: str, role: Literal["button", "link"], name: str) -> None:
        anna.go(address)
        page.get_by_role(role, name=name, exact=True).first.click()
        dialog.get_by_role("button").nth(1).wait_for()  # beside the one that closes it
        wrong[f"{address}, {name}"] = anna.troubles()

    open_sheet("/sites", "link", "Add a site")
    with anna.expecting(422):
        dialog.get_by_role("button", name="Add the site").click()
        dialog.get_by_text("Is required").first.or_(dialog.get_by_text("is required").first).wait_for()
    wrong["/sites, with errors in the dialog"] = anna.troubles()
    open_sheet(site, "link", "Change")
    open_sheet(site, "link", "Delete")
    open_sheet(site, "button", "Pause")
    open_sheet("/sites", "button", "Sync all")
    open_sheet("/queues/jobs?status=failed", "link", "Retry all")
    open_sheet("/access", "link", "Add a person")
    anna.go("/settings")
    page.get_by_label("Days of webhook deliveries").fill("0")
    with anna.expecting(422):
        page.get_by_role("button", name="Save retention").click()
        page.get_by_text("must be a whole number of days").wait_for()
    wrong["/settings, with an error"] = anna.troubles()
    for address in (
        "/sites?q=nowhere",
        "/items?q=nothing",
        "/queues/jobs?status=stuck",
        "/webhook-log?product=1",
    ):
        anna.go(address)
        page.locator(".empty").first.wait_for()
        wrong[address] = anna.troubles()

    assert [f"{state}: {fault}" for state, faults in wrong.items() for fault in faults] == []


def test_the_sign_in_and_an_error_are_pages_like_the_others(browser: Browser, town: Town) -> None:
    with Visitor(browser, town.web.url) as stranger:
        assert faults_of(stranger, OPEN) == []
        stranger.sign_in("vera")
        with stranger.expecting(404), stranger.expecting(403):
            for address, status in (("/sites/999999", 404), ("/access", 403)):
                assert faults_of(stranger, address) == [f"answers {status}"]
                assert stranger.severe_problems() == []
                assert stranger.overflow() == 0


def test_on_a_narrow_screen_the_menu_opens_by_keyboard_and_holds_every_page(anna: Visitor) -> None:
    anna.look_in(DARK, NARROWEST)
    anna.go("/")
    assert not anna.page.get_by_role("link", name="Settings").is_visible()

    anna.page.get_by_role("button", name="Menu").focus()
    anna.page.keyboard.press("Enter")

    assert anna.page.get_by_role("link", name="Settings").is_visible()
    assert anna.severe_problems() == []
    assert anna.overflow() == 0


def test_light_and_dark_can_be_chosen_and_stay_chosen(anna: Visitor) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    anna.go("/settings")
    before = anna.page.evaluate(background)

    anna.page.get_by_role("button", name="Light or dark").click()
    dark = anna.page.evaluate(background)
    anna.go("/account")

    assert dark != before
    assert anna.page.evaluate(background) == dark


@pytest.mark.timeout(300)
def test_sites_a_dialog_and_what_concerns_many_are_used_by_the_keyboard_alone(anna: Visitor) -> None:
    page, dialog = anna.page, anna.page.get_by_role("dialog")
    anna.go("/sites")

    assert step(anna) == "Skip to the content", "first of all, past the menu"
    page.keyboard.press("Enter")
    order = walk_to(anna, "Outdoor store")
    expected = ["Sync all", "Add a site", "Sites", "Companies", "Search", "State", "Platform", "Show"]
    assert order == [*expected, "Corner shop", "Sync inventory", "Outdoor store"]

    # A part that refreshes leaves the focus where it is.
    page.evaluate(
        "new Promise(done => { document.addEventListener('htmx:afterSettle', done, {once: true});"
        " htmx.trigger('#sites', 'refresh'); })"
    )
    assert focused(anna) == "Outdoor store"

    # The dialog takes the focus, keeps it, and gives it back.
    page.get_by_role("link", name="Add a site").focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    assert step(anna, "Shift+Tab") == "Close"
    assert walk_to(anna, "Cancel")[0] == "Name"
    assert page.evaluate(FOCUSED)["in_dialog"]
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert focused(anna) == "Add a site"

    # What concerns many: it says how many, and what changes nothing is chosen first.
    anna.go("/queues/jobs?status=failed")
    page.get_by_role("link", name="Retry all").focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("1 failed job.", exact=False).first).to_be_visible()
    expect(dialog.get_by_role("link", name="Keep as it is")).to_be_focused()
    assert step(anna, "Shift+Tab") == "Retry 1 failed job"
    assert step(anna) == "Keep as it is"
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert focused(anna) == "Retry all"

    # A question before something is done, too.
    anna.go("/sites")
    page.get_by_role("button", name="Sync all").focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Keep as it is")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert focused(anna) == "Sync all"


def test_what_was_done_and_what_went_wrong_is_announced(anna: Visitor) -> None:
    page = anna.page
    page.add_init_script(ANNOUNCED)
    anna.go("/settings")
    page.get_by_role("button", name="Save guard").press("Enter")
    said = "Guard: nothing has changed."
    eventually(lambda: said in page.evaluate("announced"), seconds=30, what="a screen reader that is told")

    page.get_by_label("SKUs that may always fall").fill("-5")
    with anna.expecting(422):
        page.get_by_role("button", name="Save guard").press("Enter")
        wrong = page.get_by_label("SKUs that may always fall")
        expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_accessible_description(re.compile(r"^must be "))

    anna.go("/")
    assert page.locator("[aria-live=polite].verdict").count() == 1


def test_the_api_can_be_tried_from_its_docs_with_a_token(anna: Visitor) -> None:
    anna.go("/access/tokens")
    anna.page.get_by_role("link", name="Make a token").click()
    anna.page.get_by_label("Name").fill("a try")
    anna.page.get_by_role("button", name="Make the token").click()
    token = anna.page.locator("#token-text").inner_text()

    anna.go("/api-docs")
    anna.page.locator("button.authorize").click()
    anna.page.locator("#auth-bearer-value").fill(token)
    anna.page.get_by_role("button", name="Apply credentials").click()
    anna.page.locator(".btn-done").click()
    anna.page.locator("#operations-tag-schedule").click()
    anna.page.locator(".opblock-get .opblock-summary-control").first.click()
    anna.page.get_by_role("button", name="Try it out").click()
    anna.page.get_by_role("button", name="Execute").click()
    answer = anna.page.locator(".live-responses-table tr.response .response-col_description")
    answer.wait_for()

    assert "full_sync" in answer.inner_text()
    assert anna.severe_problems() == []
    anna.look_in(DARK, NARROW)
    assert anna.severe_problems() == []
    assert anna.overflow() == 0
