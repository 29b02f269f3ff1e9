"""A statement that PostgreSQL plans once a connection: where planning costs more than doing, as in receiving."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import peewee
from psycopg2 import errorcodes

from models.database import db, rows, session

TRIES = 2  # behind a pooler of transactions a name may be gone by the next statement
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")

_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()  # connection -> the names it knows
_lock = threading.Lock()


class Prepared:
    """One statement with `%(name)s` placeholders; `types`: PostgreSQL's type of each, as `cast` would name it."""

    def __init__(self, sql: str, **types: str) -> None:
        numbers = {name: f"${number}" for number, name in enumerate(types, start=1)}
        numbered = _PLACEHOLDER.sub(lambda found: numbers[found[1]], sql)
        # The name tells the text: two versions of this code behind one pooler must not meet.
        self._name = "p_" + hashlib.sha256(f"{types}{sql}".encode()).hexdigest()[:20]
        self._prepare = f"PREPARE {self._name} ({', '.join(types.values())}) AS {numbered}"
        self._execute = f"EXECUTE {self._name} ({', '.join(f'%({name})s' for name in types)})"
        self._plain = sql

    def row(self, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row, or None. Raises what `models.database.row` raises."""
        found = self.rows(parameters)
        return found[0] if found else None

    def rows(self, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """All rows. Raises what `models.database.rows` raises."""
        with session():
            if db.in_transaction():  # a name that is gone would abort what else is in it
                return rows(self._plain, parameters)
            for _ in range(TRIES):
                self._make_known()
                try:
                    return rows(self._execute, parameters)
                except peewee.DatabaseError as error:
                    if _code(error) != errorcodes.INVALID_SQL_STATEMENT_NAME:
                        raise
                    self._known().discard(self._name)
            return rows(self._plain, parameters)

    def _make_known(self) -> None:
        if self._name in self._known():
            return
        try:
            db.execute_sql(self._prepare)
        except peewee.DatabaseError as error:
            if _code(error) != errorcodes.DUPLICATE_PREPARED_STATEMENT:
                raise
        self._known().add(self._name)

    @staticmethod
    def _known() -> set[str]:
        with _lock:
            return _prepared.setdefault(db.connection(), set())


def _code(error: BaseException) -> str | None:
    code: str | None = getattr(error.__cause__ or error.__context__, "pgcode", None)
    return code
