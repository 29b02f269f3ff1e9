"""docs/api.md lists the API's routes as they are."""

from __future__ import annotations

import re

import pytest
from cryptography.fernet import Fernet

from api.app import create_app
from models import config
from tests.fleet import ROOT

METHODS = ("get", "post", "patch", "delete")
PREFIX = "/api/v1/"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that lead to no server: the document needs none."""
    for name, value in {
        "DATABASE_URL": "postgresql://u:p@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "x" * 40,
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()


def test_the_table_lists_every_route_with_its_scope_and_its_summary(nowhere: None) -> None:
    listed = re.findall(
        r"^\| `(\w+) ([^`]+)` \| (\w+) \| (.+) \|$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE
    )
    paths = create_app().api_doc["paths"]  # type: ignore[attr-defined]

    assert sorted(listed) == sorted(
        (method.upper(), path.removeprefix(PREFIX), operation["x-scope"], operation["summary"].rstrip("."))
        for path, item in paths.items()
        if path.startswith(PREFIX)
        for method, operation in item.items()
        if method in METHODS and "x-scope" in operation
    )
    config.settings.cache_clear()
