"""Tokens made, listed and revoked from the command line."""

from __future__ import annotations

import re

from tests.integration.cli.conftest import Program, Run, json_of
from workers import tokens


def test_a_new_token_stands_alone_on_standard_output_and_works(program: Program, database: str) -> None:
    result = program("token", "create", "--name", "ci", "--scope", "sync")

    assert result.returncode == 0
    assert result.stderr == ""
    assert re.fullmatch(r"ist_[\w-]{40,}\n", result.stdout)
    principal = tokens.check(result.stdout.strip())
    assert principal is not None
    assert (principal.name, principal.scope) == ("ci", "sync")


def test_the_list_tells_all_but_the_token(run: Run, database: str) -> None:
    text = run("token", "create", "--name", "ci", "--scope", "read").stdout.strip()

    result = run("token", "list", "--json")

    (record,) = json_of(result)
    assert (record["name"], record["scope"], record["revoked_at"]) == ("ci", "read", None)
    assert text not in result.stdout
    assert text not in run("token", "list").stdout


def test_a_revoked_token_works_no_more(run: Run, database: str) -> None:
    text = run("token", "create", "--name", "ci", "--scope", "read").stdout.strip()
    (record,) = json_of(run("token", "list", "--json"))

    result = run("token", "revoke", str(record["id"]))

    assert result.exit_code == 0
    assert tokens.check(text) is None
