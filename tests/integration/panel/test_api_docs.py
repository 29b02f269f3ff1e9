"""The API docs: the viewer and the document, both from here."""

from __future__ import annotations

import re

from flask import Flask

from tests.integration.panel.conftest import Person


def test_all_that_the_page_loads_is_there_and_comes_from_here(app: Flask, viewer: Person) -> None:
    page = viewer.text("/api-docs")

    addresses = re.findall(r'(?:src|href|data-document)="([^"#]+)"', page)
    assert any("swagger-ui-bundle" in address for address in addresses)
    for address in addresses:
        assert re.match(r"/(?!/)", address), address
        assert viewer.get(address).status_code == 200, address


def test_only_an_admin_is_led_to_where_tokens_are_made(viewer: Person, admin: Person) -> None:
    assert "Ask an admin for a token" in viewer.text("/api-docs")
    assert 'href="/access/tokens"' in admin.text("/api-docs")
