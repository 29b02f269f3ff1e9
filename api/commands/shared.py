"""What all commands share: exit codes, errors in words, the site that is meant, tables and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any

import click
import peewee
import redis
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from api.procfile import ProcfileError
from models.config import SettingsError
from models.crypto import UndecryptableError
from models.database import DatabaseUnavailable, session
from models.embedded import EmbeddedError
from models.fields import utc_text
from models.migrate import MigrationTimeoutError
from models.site import Site
from workers.clients.shop import CheckResult
from workers.errors import ConfigurationError, Conflict, InvalidFields, InventorySyncError

EXPECTED = (InventorySyncError, SettingsError, UndecryptableError, MigrationTimeoutError, ProcfileError)
"""Errors whose message is meant for the user as it stands."""

PIPE_WIDTH = 400  # columns where nobody looks: a table in a pipe is never folded


class ExitCode(IntEnum):
    """What scripts may rely on; 2 (usage) is click's own."""

    RIGHT = 0
    FAILED = 1
    USAGE = 2
    HELD = 3
    UNREACHABLE = 4


class Failure(click.ClickException):
    """The command failed: one line on standard error, and its exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc]


def worded(error: Exception) -> Failure:
    """Any exception as one line that names what is wrong and, where it is known, the fix."""
    line = _one_line(error)
    if isinstance(error, DatabaseUnavailable):
        return Failure(f"PostgreSQL does not answer (DATABASE_URL): {line}", ExitCode.UNREACHABLE)
    if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        return Failure(f"Redis does not answer (REDIS_URL): {line}", ExitCode.UNREACHABLE)
    if isinstance(error, EmbeddedError):
        return Failure(line, ExitCode.UNREACHABLE)
    if isinstance(error, peewee.ProgrammingError) and "does not exist" in line:
        return Failure(f"the database is not up to date ({line}): run `inventory-sync migrate`")
    if isinstance(error, InvalidFields):
        # Options are named as fields are: --tenant-id is tenant_id.
        faults = (f"--{fault.field.replace('_', '-')} {fault.message}" for fault in error.errors)
        return Failure("; ".join(faults), ExitCode.USAGE)
    if isinstance(error, Conflict) and error.field is not None:
        return Failure(f"--{error.field.replace('_', '-')}: {line}")
    if isinstance(error, EXPECTED):
        return Failure(line)
    return Failure(f"unexpected {type(error).__name__}: {line}; --debug before the command shows where")


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, peewee.PeeweeException):
        lines = lines[:1]  # what follows is psycopg2's drawing of the statement
    return "; ".join(lines) or type(error).__name__


def find_site(wanted: str) -> Site:
    """The site with this id or exactly this name."""
    with session():
        chosen = Site.known().where(Site.name == wanted).first()
        if chosen is None and wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
            chosen = Site.known().where(Site.id == int(wanted)).first()
    if chosen is None:
        raise ConfigurationError("SITE", "no site has this id or name; see `inventory-sync site list`")
    assert isinstance(chosen, Site)
    return chosen


def ask_secret(label: str, *, confirm: bool = False) -> str:
    """A secret typed unseen; from a pipe, one line of it."""
    if sys.stdin.isatty():
        return str(click.prompt(label, hide_input=True, confirmation_prompt=confirm, err=True))
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise Failure(f"{label}: nothing on standard input; type it in a terminal, or pipe one line")
    return secret


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given: those left out are absent, so that defaults are chosen in one place."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def console(*, error: bool = False) -> Console:
    """A terminal, or a pipe that is as wide as the text; made at the time of use, since tests swap stdout."""
    file = sys.stderr if error else sys.stdout
    width = None if file.isatty() else PIPE_WIDTH
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Rows under headings, numbers to the right; `empty` is said where there are none."""
    found = [list(row) for row in rows]
    if not found:
        click.echo(empty)
        return
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        numeric = all(_is_number(row[index]) for row in found)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in found:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console().print(table)


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.replace(",", "").replace(".", "").isdigit()
    return cell is None or isinstance(cell, int | float | Decimal)


def print_list(
    as_json: bool, records: Sequence[dict[str, Any]], columns: Sequence[str], *, empty: str
) -> None:
    """Records as JSON whole, or as a table of some of their fields."""
    if as_json:
        print_json(list(records))
        return
    print_table(columns, ([record[name] for name in columns] for record in records), empty=empty)


def print_checks(as_json: bool, checks: Sequence[CheckResult]) -> None:
    """What a connection test found, a line each; leaves with code 1 where something is wrong."""
    if as_json:
        print_json([asdict(check) for check in checks])
    for check in () if as_json else checks:
        mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {check.name}: {check.message}")
    if not all(check.ok for check in checks):
        raise click.exceptions.Exit(ExitCode.FAILED)


def shown(value: Any) -> str:
    """A value as a person reads it in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, dict):
        return by_reason(value) or "0"
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "-"
    return str(value)


def by_reason(counts: dict[str, int]) -> str:
    """`1,204 unknown, 3 ambiguous`: the largest first."""
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items(), key=_largest) if count)


def _largest(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]


def _plain(value: Any) -> Any:
    plain: dict[type, Callable[[Any], Any]] = {datetime: utc_text, Decimal: lambda number: shown(number)}
    for kind, convert in plain.items():
        if isinstance(value, kind):
            return convert(value)
    return str(value)
