"""Every page that can be opened, in light and dark, wide and narrow: readable, reachable, without a fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser

from api.app import create_app
from tests.browser.addresses import pages_of, wait_until_drawn
from tests.browser.town import Town, lived_in
from tests.browser.visitor import DARK, LIGHT, NARROW, NARROWEST, OF_LOOKS, WIDE, Visitor
from tests.conftest import settings_on
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


@pytest.fixture
def anna(browser: Browser, town: Town) -> Iterator[Visitor]:
    """An admin, signed in."""
    with Visitor(browser, town.web.url) as visitor:
        visitor.sign_in("anna")
        yield visitor


def faults_of(visitor: Visitor, address: str) -> list[str]:
    """What is wrong with a page, in both colours and at all widths."""
    visitor.look_in(LIGHT, WIDE)
    answer = visitor.go(address)
    if answer.status != 200:
        return [f"answers {answer.status}"]
    wait_until_drawn(visitor.page, address)
    found = visitor.severe_problems()
    visitor.look_in(DARK, NARROW)
    found += visitor.severe_problems(OF_LOOKS)
    visitor.look_in(LIGHT, NARROWEST)
    if wider := visitor.overflow():
        found.append(f"is {wider} px wider than a screen of {NARROWEST}")
    return list(dict.fromkeys(found))


@pytest.mark.timeout(600)
def test_no_page_has_a_serious_problem_in_any_colour_or_width(app: Flask, town: Town, anna: Visitor) -> None:
    wrong = {address: faults_of(anna, address) for address in pages_of(app, town.ids)}

    assert [f"{address}: {fault}" for address, faults in wrong.items() for fault in faults] == []


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


def test_a_dialog_takes_the_focus_can_be_read_and_closes_by_the_keyboard(anna: Visitor) -> None:
    anna.go("/access")
    anna.page.get_by_role("link", name="Add a person").click()
    anna.page.get_by_label("Name", exact=True).wait_for()

    assert anna.page.get_by_label("Name", exact=True).evaluate("field => field === document.activeElement")
    assert anna.severe_problems() == []
    anna.look_in(DARK, NARROWEST)
    assert anna.severe_problems() == []
    assert anna.overflow() == 0

    anna.page.keyboard.press("Escape")
    assert anna.page.get_by_role("dialog").count() == 0


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
