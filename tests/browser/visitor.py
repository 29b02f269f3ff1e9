"""A person at a real browser: signs in, looks at pages, and notes every fault that the browser tells of."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Response, Route

PASSWORD = "correct horse battery"
PATIENCE_MS = 30_000  # on a machine that does other things as well
WIDE, NARROW, NARROWEST = 1280, 390, 360  # pixels
HEIGHT = 800
LIGHT, DARK = "light", "dark"
SEVERE = ("serious", "critical")
LOOKS = ((LIGHT, WIDE), (DARK, NARROWEST))
"""In which every page is held to all of axe's rules; in none it may be wider than the screen."""
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


def find_chromium() -> str | None:
    """Debian's browser, or None where it isn't installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright: Playwright, path: str) -> Browser:
    """The browser; as root it can't have its sandbox, and it only ever looks at ourselves."""
    return playwright.chromium.launch(
        executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []
    )


class Visitor:
    """One browser of their own: cookies, colours, width. `faults` holds what it complained of.

    signed_in: what another visitor's `context.storage_state()` was.
    """

    def __init__(
        self, browser: Browser, url: str, *, scheme: str = LIGHT, width: int = WIDE, signed_in: Any = None
    ) -> None:
        self.url = url
        self.faults: list[str] = []
        self._expected: set[str] = set()
        self.context = browser.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",  # what fades in has no contrast yet
            base_url=url,
            storage_state=signed_in,
        )
        self.context.set_default_timeout(PATIENCE_MS)
        # Nothing but ourselves is ever asked: a page that tries fails the test.
        self.context.route(lambda address: not address.startswith(url), self._stranger)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"error in a script: {error}"))
        self.page.on("response", self._answered)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.close()
        if kind is None:
            assert self.faults == [], self.faults

    @contextmanager
    def expecting(self, status: int) -> Iterator[None]:
        """For the length of the block an answer of this status is no fault: the test has provoked it."""
        self._expected.add(str(status))
        yield
        self._expected.discard(str(status))

    def go(self, path: str) -> Response:
        """Open a page, and wait until it is drawn."""
        answer = self.page.goto(path)
        assert answer is not None
        return answer

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """By the form."""
        self.go("/sign-in")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Overview").wait_for()

    def look_in(self, scheme: str, width: int) -> None:
        """Change colours and width without loading the page again."""
        self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        # The page learns of it with its next frame.
        self.page.evaluate("new Promise(done => requestAnimationFrame(done))")

    def troubles(self) -> list[str]:
        """What is wrong with the page as it stands, in both colours, wide and narrow."""
        found = []
        for scheme, width in LOOKS:
            self.look_in(scheme, width)
            found += [f"{scheme} at {width} px: {problem}" for problem in self.severe_problems()]
            if wider := self.overflow():
                found.append(f"is {wider} px wider than a screen of {width}")
        self.look_in(*LOOKS[0])
        return found

    def severe_problems(self) -> list[str]:
        """What axe finds of weight on the page as it stands."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{problem['id']} ({problem['impact']}): {node['html'][:200]} {_why(node)}"
            for problem in found["violations"]
            if problem["impact"] in SEVERE
            for node in problem["nodes"][:5]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def picture(self, file: Path) -> None:
        """The whole page as a PNG."""
        self.page.screenshot(path=file, full_page=True)

    def _stranger(self, route: Route) -> None:
        self.faults.append(f"asked somebody else: {route.request.url}")
        route.abort()

    def _said(self, message: ConsoleMessage) -> None:
        refused = _REFUSED.match(message.text)
        if message.type == "error" and not (refused and refused[1] in self._expected):
            self.faults.append(f"{self.page.url}: {message.text}")

    def _answered(self, answer: Response) -> None:
        if answer.status >= 500:
            self.faults.append(f"{answer.request.method} {answer.url}: {answer.status}")


def _why(node: dict[str, Any]) -> str:
    found = node["any"] or node["all"] or node["none"]
    return str(found[0]["message"])[:200] if found else ""
