"""A company that nobody calls; the nights of a test are in its own time, given to `occasions.check`."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest

from models.company import Company
from models.database import session
from tests.integration.api.conftest import admin, app, client, reader, stranger  # noqa: F401 - fixtures
from tests.integration.cli.conftest import run  # noqa: F401 - a fixture
from tests.servers import Servers

_EMPTY = """
DO $$ BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') FROM pg_tables
             WHERE schemaname = 'public' AND tablename LIKE 'rm\\_%' AND tablename NOT LIKE '%migrat%');
END $$
"""


class Reused:
    """The servers, with one database for all tests of this folder: emptied for each, which is sooner than made."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._url = servers.new_database()

    def new_database(self) -> str:
        """The URL of the database, without a row."""
        connection = psycopg2.connect(self._url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(_EMPTY)
        finally:
            connection.close()
        return self._url

    def new_redis(self) -> str:
        """The URL of a Redis database of one's own."""
        return self._servers.new_redis()

    def take_back(self, _url: str) -> None:
        """Not before the last test."""

    def close(self) -> None:
        """Drop it."""
        self._servers.drop_database(self._url)


@pytest.fixture(scope="package", name="servers")
def reused_servers(servers: Servers) -> Iterator[Reused]:
    """In place of the servers that all tests share."""
    reused = Reused(servers)
    yield reused
    reused.close()


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
