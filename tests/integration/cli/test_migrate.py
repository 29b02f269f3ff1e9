"""Tables brought up to date from the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from models.database import execute
from models.migrate import migrate
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


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["migrate", "check"])
def test_on_tables_of_a_newer_version_nothing_is_done_and_nothing_is_wrong(
    run: Run, database: str, options: tuple[str, ...]
) -> None:
    execute("INSERT INTO rm_schema_migrations (name, applied) VALUES ('9999_later', now())")

    done = run("migrate", *options)

    assert done.exit_code == 0
    assert done.stdout.removeprefix("nothing to do: ") == (
        "the tables are newer than this code, which runs on them too (9999_later of a newer version)\n"
    )


def test_whoever_waits_for_tables_returns_once_somebody_else_has_made_them(
    environment: dict[str, str], servers: Servers
) -> None:
    url = servers.new_database(migrated=False)
    with waiting(url, environment) as process:
        assert process.stdout is not None
        assert "0001_initial" in process.stdout.readline()

        migrate(url)

        assert process.communicate(timeout=60)[0] == "the tables are up to date\n"
        assert process.returncode == 0


def test_whoever_waits_for_tables_ends_at_sigterm(environment: dict[str, str]) -> None:
    with waiting("postgresql://nobody@127.0.0.1:1/nothing", environment) as process:
        assert process.stdout is not None
        assert "PostgreSQL is away" in process.stdout.readline()

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 128 + signal.SIGTERM


def waiting(url: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """`inventory-sync migrate --wait` on a database."""
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "migrate", "--wait"],
        env={**os.environ, **environment, "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
