"""A company that nobody calls; the nights of a test are in its own time, given to `occasions.check`."""

from __future__ import annotations

import pytest

from models.company import Company
from models.database import session
from tests.integration.api.conftest import admin, app, client, reader, stranger  # noqa: F401 - fixtures
from tests.integration.cli.conftest import run  # noqa: F401 - a fixture


def made_company(name: str) -> Company:
    """A company that nobody calls."""
    with session():
        return Company.create(
            name=name,
            tenant_id="contoso.onmicrosoft.com",
            environment="Production",
            company_id="3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            client_id="app",
            client_secret="the client secret",
            api_url="http://127.0.0.1:1/v2.0",
            token_url="http://127.0.0.1:1/token",
        )


@pytest.fixture
def owner(database: str) -> Company:
    """One company."""
    return made_company("Contoso")
