"""One browser for all tests of this folder, and the panel as a pod runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Visitor, find_chromium, launch
from tests.receivers import Gunicorn


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Where it isn't installed these tests are skipped, which CI counts as a failure."""
    path = find_chromium()
    if path is None:
        pytest.skip("chromium is not on PATH")
    with sync_playwright() as playwright:
        running = launch(playwright, path)
        yield running
        running.close()


@pytest.fixture
def web(environment: dict[str, str]) -> Iterator[Gunicorn]:
    """The panel on a database of this test's own."""
    with Gunicorn(environment, role="web") as running:
        yield running


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, web: Gunicorn) -> Iterator[Visit]:
    """`visit(scheme=DARK, width=NARROW)`: somebody's browser; its faults fail the test."""
    with ExitStack() as visitors:
        yield lambda **how: visitors.enter_context(Visitor(browser, web.url, **how))
