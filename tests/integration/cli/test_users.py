"""People who may sign in."""

from __future__ import annotations

from werkzeug.security import check_password_hash

from models.access import User
from models.database import session
from tests.integration.cli.conftest import Run, json_of, only_line

ADD = ("user", "create", "--name", "ann", "--role", "operator")


def test_a_password_is_kept_as_a_scrypt_hash_and_never_shown(run: Run, database: str) -> None:
    result = run(*ADD, stdin="correct horse battery\n")

    assert result.exit_code == 0, result.output
    assert "correct horse" not in result.output
    with session():
        person = User.get()
    assert person.password_hash.startswith("scrypt:")
    assert check_password_hash(person.password_hash, "correct horse battery")
    (record,) = json_of(run("user", "list", "--json"))
    assert (record["name"], record["role"], record["active"]) == ("ann", "operator", True)
    assert "scrypt" not in run("user", "list", "--json").stdout


def test_a_short_password_is_refused(run: Run, database: str) -> None:
    result = run(*ADD, stdin="short\n")

    assert result.exit_code == 2
    assert "must have 12 to 500 characters" in only_line(result)


def test_a_name_is_given_once(run: Run, database: str) -> None:
    run(*ADD, stdin="correct horse battery\n")

    result = run(*ADD, stdin="correct horse battery\n")

    assert result.exit_code == 1
    assert "there is a user named ann already" in only_line(result)
