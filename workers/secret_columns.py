"""Every secret of every table: re-encrypted under the newest key, or tried whether it can be read."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass

from peewee import Field

import models
from models.crypto import Secret, SecretField, UndecryptableError
from models.crypto import rotate as under_newest_key
from models.database import Table, rows, transaction

BATCH_ROWS = 200  # in one transaction: some milliseconds of locks, on tables that every worker reads


@dataclass(slots=True)
class TableReport:
    """What was found in one table. `unreadable` names each secret that no listed key can read."""

    table: str
    rows: int
    secrets: int
    unreadable: list[str]


def secret_tables() -> dict[type[Table], tuple[str, ...]]:
    """The models that have secret columns, and those columns' names; found, so that none is forgotten."""
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"models.{module.name}")
    found = {table: _secret_columns(table) for table in sorted(_tables(Table), key=_name)}
    return {table: columns for table, columns in found.items() if columns}


def rotate() -> list[TableReport]:
    """Write every secret anew with the newest key; what no key can read is left as it is, and named."""
    return [_walk(table, columns, write=True) for table, columns in secret_tables().items()]


def check() -> list[TableReport]:
    """Try to read every secret; changes nothing."""
    return [_walk(table, columns, write=False) for table, columns in secret_tables().items()]


def _walk(table: type[Table], columns: tuple[str, ...], *, write: bool) -> TableReport:
    report = TableReport(_name(table), 0, 0, [])
    last_key, more = None, True
    while more:
        with transaction():
            last_key = _batch(table, columns, last_key, report, write=write)
        more = last_key is not None
    return report


def _batch(
    table: type[Table], columns: tuple[str, ...], after: int | str | None, report: TableReport, *, write: bool
) -> int | str | None:
    """One batch into the report; the key to go on after, or None at the end."""
    assert isinstance(table._meta.primary_key, Field)  # one column
    key = table._meta.primary_key.column_name
    found = rows(
        # Names of our own models, never from outside. Locked until the commit: who sets a secret meanwhile
        # waits, and is not overwritten.
        f"SELECT {key}, {', '.join(columns)} FROM {_name(table)} WHERE %(after)s IS NULL OR {key} > %(after)s"
        f" ORDER BY {key} LIMIT {BATCH_ROWS}{' FOR UPDATE' if write else ''}",
        {"after": after},
    )
    for row_id, *tokens in found:
        fresh: dict[str, Secret] = {}
        for column, token in zip(columns, tokens, strict=True):
            if token is None:
                continue
            report.secrets += 1
            try:
                fresh[column] = Secret(under_newest_key(token))
            except UndecryptableError:
                report.unreadable.append(f"{_name(table)} {row_id} {column}")
        if write and fresh:
            table.update(**fresh).where(table._meta.primary_key == row_id).execute()
    report.rows += len(found)
    return found[-1][0] if found else None


def _tables(root: type[Table]) -> Iterator[type[Table]]:
    for table in root.__subclasses__():
        yield table
        yield from _tables(table)


def _secret_columns(table: type[Table]) -> tuple[str, ...]:
    return tuple(field.column_name for field in table._meta.sorted_fields if isinstance(field, SecretField))


def _name(table: type[Table]) -> str:
    return str(table._meta.table_name)
