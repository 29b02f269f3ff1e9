"""A statement that is planned once a connection, wherever that connection has been meanwhile."""

from __future__ import annotations

import pytest
from peewee import IntegrityError

from models.database import execute, row, rows, session, transaction
from models.prepared import Prepared

ADD = "INSERT INTO kept (name, number) VALUES (%(name)s, %(number)s) RETURNING name, number"


@pytest.fixture
def add(database: str) -> Prepared:
    execute("CREATE TABLE kept (name text PRIMARY KEY, number integer)")
    return Prepared(ADD, name="text", number="integer")


def test_it_gives_what_the_plain_statement_would(add: Prepared) -> None:
    assert add.row({"name": "it's 100 %", "number": 3}) == ("it's 100 %", 3)
    assert add.row({"name": "none", "number": None}) == ("none", None)


def test_it_is_prepared_once_a_connection(add: Prepared) -> None:
    with session():
        for number in range(3):
            add.row({"name": str(number), "number": number})
        assert row("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%INTO kept%%'") == (1,)


def test_a_connection_that_forgot_it_is_told_again(add: Prepared) -> None:
    with session():
        add.row({"name": "before", "number": 1})
        execute("DEALLOCATE ALL")  # as a pooler does between two clients
        add.row({"name": "after", "number": 2})
    assert rows("SELECT name FROM kept ORDER BY number") == [("before",), ("after",)]


def test_a_name_that_is_there_already_is_used(add: Prepared) -> None:
    with session():
        add.row({"name": "ours", "number": 1})
        twin = Prepared(ADD, name="text", number="integer")
        add._known().clear()
        assert twin.row({"name": "theirs", "number": 2}) == ("theirs", 2)


def test_in_a_transaction_it_is_part_of_it(add: Prepared) -> None:
    def add_and_fail() -> None:
        with transaction():
            add.row({"name": "undone", "number": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert rows("SELECT name FROM kept") == []


def test_what_postgresql_refuses_is_raised(add: Prepared) -> None:
    add.row({"name": "once", "number": 1})
    with pytest.raises(IntegrityError):
        add.row({"name": "once", "number": 2})
