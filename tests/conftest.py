"""Real servers for every test: one PostgreSQL and one Valkey a run, a database of its own for each test."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from models import config
from models.database import configure, db
from models.migrate import migrate
from tests.servers import Servers
from workers import limits
from workers.broker import broker, connect_sender
from workers.hints import hints

ENCRYPTION_KEY = Fernet.generate_key().decode()
SECRET_KEY = "a secret key that only the tests use, long enough"
IN_CI = os.environ.get("CI") == "true"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Pure tests first: a wrong rule is told before any server has started.

    Of several processes (`make test`), the longest first: else one of them ends alone.
    """
    first = "/acceptance/" if hasattr(config, "workerinput") else "/unit/"
    items.sort(key=lambda item: first not in str(item.path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: what it needs is missing, and nobody would notice."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} would be skipped, and CI=true allows none: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with Servers(migrate=lambda url: void(migrate(url))) as running:
        yield running


def void(_: object) -> None:
    """Drop a result where a callable must give none."""


@pytest.fixture
def environment(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The settings of a process of the product, on a database and a Redis of this test's own.

    Child processes that a test starts inherit them.
    """
    with settings_on(servers, monkeypatch) as values:
        yield values
        # It would go on with the next test's database, or leave a connection to this one in the pool.
        assert "receiver" not in {thread.name for thread in threading.enumerate()}, (
            "see tests.receivers.receiving"
        )


@contextmanager
def settings_on(servers: Servers, patch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The same for the length of a block; who gives `patch` undoes it."""
    values = {
        "DATABASE_URL": servers.new_database(),
        "REDIS_URL": servers.new_redis(),
        "SECRET_KEY": SECRET_KEY,
        "ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "ALLOW_PRIVATE_ADDRESSES": "true",
        "LOG_LEVEL": os.environ.get("TEST_LOG_LEVEL", "WARNING"),
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    for name, value in values.items():
        patch.setenv(name, value)
    limits._records.clear()
    config.settings.cache_clear()
    configure()
    broker.cache_clear()
    connect_sender()
    try:
        yield values
    finally:
        hints.use(None)
        db.close_all()
        config.settings.cache_clear()
        servers.take_back(values["DATABASE_URL"])


@pytest.fixture
def database(environment: dict[str, str]) -> str:
    """A migrated database of this test's own, and this process's pool pointed at it."""
    return environment["DATABASE_URL"]
