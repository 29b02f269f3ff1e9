"""Whatever goes wrong ends as one line that names the fix, and as an exit code for scripts."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from tests.integration.cli.conftest import Program, Run, only_line
from tests.servers import Servers

NOWHERE = {
    "DATABASE_URL": "postgresql://nobody:hidden-password@127.0.0.1:1/nothing",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "a secret key for a test, long enough for it",
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
}


def test_a_database_that_is_away_is_code_4_and_names_the_variable(program: Program) -> None:
    result = program("stats", **NOWHERE)

    assert result.returncode == 4
    assert result.stdout == ""
    assert "PostgreSQL does not answer (DATABASE_URL)" in only_line(result)
    assert "hidden-password" not in result.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DATABASE_URL", "mysql://x", "DATABASE_URL: must begin with postgresql://"),
        ("ENCRYPTION_KEYS", "not-a-key", "ENCRYPTION_KEYS: key 1 is not a Fernet key"),
        ("ENCRYPTION_KEYS", "", "ENCRYPTION_KEYS"),
        ("SECRET_KEY", "short", "SECRET_KEY: at least 32 characters"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL"),
    ],
)
def test_a_wrong_variable_is_named(program: Program, variable: str, value: str, said: str) -> None:
    result = program("stats", **{**NOWHERE, variable: value})

    assert result.returncode == 1
    assert said in only_line(result)


def test_a_database_without_tables_says_what_to_run(
    run: Run, environment: dict[str, str], servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.new_database(migrated=False))

    result = run("site", "list")

    assert result.exit_code == 1
    assert "run `inventory-sync migrate`" in only_line(result)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("site", "nonsense"),
        ("sync",),
        ("token", "create", "--name", "x", "--scope", "everything"),
        ("jobs", "release-stuck", "--minutes", "many"),
        ("runs", "show", "x"),
        ("up", "--port", "0"),
    ],
)
def test_wrong_usage_is_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sync", "nobody"), "SITE: no site has this id or name"),
        (("site", "test", "99"), "SITE: no site has this id or name"),
        (("company", "test", "nobody"), "COMPANY: no company has this id or name"),
        (("items", "list", "--site", "0"), "SITE: no site has this id or name"),
        (("runs", "show", "7"), "RUN: there is no run 7"),
        (("release", "7"), "RUN: there is no run 7"),
        (("jobs", "retry", "7"), "JOB: there is no job 7"),
        (("token", "revoke", "7"), "ID: there is no token 7"),
        (("sync", "all"), "no site is active"),
    ],
)
def test_what_is_not_there_is_code_1_and_named(
    run: Run, database: str, arguments: tuple[str, ...], said: str
) -> None:
    result = run(*arguments)

    assert result.exit_code == 1
    assert said in only_line(result)


def test_an_error_that_nobody_foresaw_is_one_line_too(
    run: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(minutes: float) -> int:
        raise RuntimeError("boom\nand more")

    monkeypatch.setattr("workers.rescue.release_stuck", fail)

    quiet, loud = run("jobs", "release-stuck"), run("--debug", "jobs", "release-stuck")

    assert quiet.exit_code == loud.exit_code == 1
    assert "unexpected RuntimeError: boom; and more" in only_line(quiet)
    assert "Traceback" in loud.stderr


def test_the_version_is_told_without_a_database(program: Program) -> None:
    result = program("--version", DATABASE_URL="nonsense")

    assert (result.returncode, result.stdout) == (0, "0.1.0\n")
