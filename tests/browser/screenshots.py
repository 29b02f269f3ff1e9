"""`python -m tests.browser.screenshots FOLDER`: every page as a picture, wide and narrow, light and dark."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from api.app import create_app
from models.migrate import migrate
from tests.browser.addresses import pages_of, wait_until_drawn
from tests.browser.town import lived_in
from tests.browser.visitor import DARK, LIGHT, NARROW, WIDE, Visitor, find_chromium, launch
from tests.conftest import settings_on, void
from tests.servers import Servers


def take(folder: Path) -> int:
    """Write them; gives how many."""
    path = find_chromium()
    if path is None:
        raise SystemExit("chromium is not on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    taken = 0
    with (
        Servers(migrate=lambda url: void(migrate(url))) as servers,
        pytest.MonkeyPatch.context() as patch,
        settings_on(servers, patch) as environment,
        lived_in(environment) as town,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright, path)
        with Visitor(browser, town.web.url) as visitor:
            visitor.go("/sign-in")
            visitor.picture(folder / "sign-in.png")
            visitor.sign_in("anna")
            for address in pages_of(create_app(), town.ids):
                name = re.sub(r"[^a-z0-9]+", "-", address.lower()).strip("-") or "overview"
                visitor.look_in(LIGHT, WIDE)
                visitor.go(address)
                wait_until_drawn(visitor.page, address)
                for scheme in (LIGHT, DARK):
                    for width in (WIDE, NARROW):
                        visitor.look_in(scheme, width)
                        visitor.picture(folder / f"{name}-{width}-{scheme}.png")
                        taken += 1
        browser.close()
    return taken


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    print(f"{take(where)} pictures in {where}")  # noqa: T201 - a script
