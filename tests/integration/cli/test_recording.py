"""The audit log tells of every command that may change something, and of none that only looks."""

from __future__ import annotations

import getpass
from collections.abc import Iterator

import click
import pytest

from api.cli import cli
from api.commands.recording import OUTSIDE, READING, STARTING
from models.database import row, rows
from models.site import Site
from tests.integration.cli.conftest import Run
from workers import users

PASSWORD = "correct horse battery"


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that can be typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from leaves(found, (*path, name))
        else:
            yield (*path, name), found


def typed(command: click.Command) -> list[str]:
    """Arguments that the command takes, if not what they name."""
    words: list[str] = []
    for parameter in command.params:
        if parameter.required:
            kind = parameter.type
            value = kind.choices[0] if isinstance(kind, click.Choice) else "1"
            words += (
                [str(value)] if isinstance(parameter, click.Argument) else [parameter.opts[0], str(value)]
            )
    return words


ALL = dict(leaves(cli))
CHANGING = [path for path in ALL if " ".join(path) not in READING | STARTING | OUTSIDE]


def test_what_is_said_to_only_read_are_commands(database: str) -> None:
    assert {" ".join(path) for path in ALL} >= READING | STARTING | OUTSIDE


@pytest.mark.timeout(600)
def test_every_command_that_may_change_something_leaves_one_entry_even_where_it_fails(
    run: Run, database: str
) -> None:
    for path in CHANGING:
        result = run(*path, *typed(ALL[path]), stdin=f"{PASSWORD}\n{PASSWORD}\n")
        told = rows("SELECT actor_kind, actor, action, outcome FROM rm_audit_log ORDER BY id DESC")
        assert told[:1] == [("cli", getpass.getuser(), " ".join(path), told[0][3])], path
        assert told[0][3] == ("done" if result.exit_code == 0 else "refused"), (path, result.output)
        assert len(told) == CHANGING.index(path) + 1, path


def test_a_command_that_only_looks_leaves_none(run: Run, shop: Site) -> None:
    for path in ALL:
        if " ".join(path) in READING:
            run(*path, *typed(ALL[path]))
    assert rows("SELECT action FROM rm_audit_log") == []


def test_an_entry_says_to_what_it_was_done_and_never_a_secret(run: Run, shop: Site) -> None:
    run("site", "deactivate", "Outlet")
    company = ("company", "add", "--name", "Fabrikam", "--client-secret", "the client's own secret")
    run(
        *company,
        *("--tenant-id", "fabrikam.onmicrosoft.com", "--environment", "Production", "--client-id", "app"),
        *("--company-id", "3f2504e0-4f89-41d3-9a0c-0305e82c3302"),
    )

    (first, second) = rows("SELECT action, subject, detail, outcome FROM rm_audit_log ORDER BY id")
    assert first == ("site deactivate", "site Outlet", {}, "done")
    assert second[:2] == ("company add", "name Fabrikam")
    assert "client_secret" in second[2]["options"]
    assert "own secret" not in str(rows("SELECT * FROM rm_audit_log"))


def test_a_migration_is_told_of_once_it_is_done(run: Run, environment: dict[str, str]) -> None:
    run("migrate")  # nothing to do
    assert rows("SELECT 1 FROM rm_audit_log") == []


def test_a_person_s_role_password_and_way_in_change_by_command_and_each_is_told_of(
    run: Run, database: str
) -> None:
    users.create("boss", "admin", PASSWORD)
    users.create("ann", "viewer", PASSWORD)

    assert run("user", "role", "ANN", "operator").exit_code == 0
    assert run("user", "password", "ann", stdin="another long password\n").exit_code == 0
    assert run("user", "deactivate", "ann").exit_code == 0

    assert row("SELECT role, active FROM rm_users WHERE name = 'ann'") == ("operator", False)
    assert run("user", "activate", "ann").exit_code == 0
    assert users.verify("ann", "another long password") is not None
    assert rows("SELECT action, subject FROM rm_audit_log ORDER BY id") == [
        ("user role", "name ANN, role operator"),
        ("user password", "name ann"),
        ("user deactivate", "name ann"),
        ("user activate", "name ann"),
    ]


def test_the_last_admin_stays_by_command_too(run: Run, database: str) -> None:
    users.create("boss", "admin", PASSWORD)

    result = run("user", "deactivate", "boss")

    assert result.exit_code == 1
    assert "somebody must stay who is an admin and active" in result.stderr
    assert run("user", "role", "nobody", "viewer").stderr.startswith("Error: NAME: there is no user nobody")
