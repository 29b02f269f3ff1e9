"""A company, a site that nobody calls, and a receiver that alerts are sent to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models import setting
from tests.integration.alerts.receivers import WebhookReceiver
from tests.integration.ledger import helpers


@pytest.fixture
def company_id(database: str) -> int:
    """A company that nobody calls."""
    return helpers.company()


@pytest.fixture
def site_id(company_id: int) -> int:
    """A site of that company."""
    return helpers.site(company_id)


@pytest.fixture
def receiver(database: str) -> Iterator[WebhookReceiver]:
    """The receiver that `alert_webhook_url` names."""
    with WebhookReceiver() as running:
        setting.change("alert_webhook_url", running.url)
        yield running
