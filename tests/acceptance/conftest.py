"""What the acceptance tests share: settings that make leases and settling as short as the tests' patience."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models import config
from tests.fleet import Fleet

HASTY = {
    "JOB_LEASE_SECONDS": "6",
    "WRITE_DEADLINE_SECONDS": "5",
    "STORE_LEASE_SECONDS": "20",  # the write deadline and the fixed margin of 15 s
    "SETTLE_SECONDS": "17",  # over the simulators' 10 s landing and their 5 s late writes
}


@pytest.fixture
def hasty(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment with short leases, so that a test outlives them."""
    for name, value in HASTY.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    return {**environment, **HASTY}


@pytest.fixture
def fleet(hasty: dict[str, str]) -> Iterator[Fleet]:
    """One sync worker and one dispatcher."""
    with Fleet(hasty) as running:
        yield running
