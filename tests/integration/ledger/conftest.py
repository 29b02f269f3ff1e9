"""What the ledger's tests share."""

from __future__ import annotations

import pytest

from tests.integration.ledger import helpers


@pytest.fixture
def company_id(database: str) -> int:
    """A company that nobody calls."""
    return helpers.company()


@pytest.fixture
def site_id(company_id: int) -> int:
    """A site of that company."""
    return helpers.site(company_id)
