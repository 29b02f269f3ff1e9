"""Tables brought up to date from the command line."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Run
from tests.servers import Servers


def test_an_empty_database_gets_its_tables_once(
    run: Run, environment: dict[str, str], servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.new_database(migrated=False))

    before, first, second, after = (
        run("migrate", "--check"),
        run("migrate"),
        run("migrate"),
        run("migrate", "--check"),
    )

    assert (before.exit_code, after.exit_code) == (1, 0)
    assert "pending 0001_initial" in before.stdout
    assert "applied 0001_initial" in first.stdout
    assert second.stdout == "nothing to do: the tables are up to date\n"
