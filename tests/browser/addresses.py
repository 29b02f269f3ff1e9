"""Where the panel's pages are: asked of the app itself, so that no page is forgotten."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Flask
from playwright.sync_api import Page

FILES = (".csv",)  # downloads
DRAWN = {"/api-docs": ".opblock-tag"}  # pages that a script draws: what stands there then
FILTERS = {
    # pages that ask before something is done to all that a filter chooses
    "/queues/jobs/cancel": "?status=pending",
    "/queues/jobs/release": "?status=stuck",
    "/queues/jobs/retry": "?status=failed",
    "/webhook-log/replay": "?status=failed",
}


def pages_of(app: Flask, ids: Mapping[str, int]) -> list[str]:
    """An address of every page. ids: by the names that the addresses have; one that is missing is an error."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("panel.") and "GET" in (rule.methods or ()):
            address = re.sub(r"<(?:[^:>]*:)?(\w+)>", lambda match: str(ids[match[1]]), str(rule))
            if not address.endswith(FILES):
                found.append(address + FILTERS.get(address, ""))
    assert len(found) > 15
    return sorted(found)


def wait_until_drawn(page: Page, address: str) -> None:
    """Most pages come whole; a few are drawn by a script."""
    if address in DRAWN:
        page.wait_for_selector(DRAWN[address])
