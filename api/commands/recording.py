"""Every command that may change something is in the audit log: `servers()` writes the entry, so none is forgotten."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
from click.core import ParameterSource

from models.database import DatabaseUnavailable
from workers import audit
from workers.errors import InventorySyncError
from workers.principals import Operator

READING = {
    "company list",
    "site list",
    "stats",
    "runs list",
    "runs show",
    "items list",
    "jobs list",
    "webhooks list",
    "webhooks status",
    "alerts list",
    "token list",
    "user list",
    "doctor",
}
"""Commands that only look."""

STARTING = {"up", "demo"}
"""Commands that run the processes; what these do by themselves isn't somebody's doing."""

OUTSIDE = {"migrate", "keys generate"}
"""`migrate` writes its own entry, since the log may be made by it; `keys generate` touches no database."""

_SHOWN = {"name", "wanted"}  # options whose values say what it is done to; others may be secrets


@contextmanager
def recorded() -> Iterator[None]:
    """Around what a command does: the entry is begun before, and says after it how it went."""
    context = click.get_current_context(silent=True)
    if context is None or command_name(context) in READING | STARTING | OUTSIDE:
        yield
        return
    entry = begin(context)
    try:
        yield
    except click.exceptions.Exit as left:
        audit.finish(entry, "done", {"exit_code": left.exit_code})
        raise
    except Exception as error:
        ours = isinstance(error, InventorySyncError | click.ClickException | click.Abort)
        with suppress(*DatabaseUnavailable):  # then the entry stays `begun`, and the error is what is told
            audit.finish(entry, "refused" if ours else "failed", {"error": type(error).__name__})
        raise
    audit.finish(entry, "done")


def begin(context: click.Context) -> int:
    """Begin an entry for the command that runs; gives its id."""
    return audit.begin(
        Operator(os_user()), command_name(context), subject=_subject(context), detail=_detail(context)
    )


def command_name(context: click.Context) -> str:
    """As it is typed behind the program's name: `user create`."""
    return context.command_path.partition(" ")[2]


def os_user() -> str:
    """Who types, as the operating system has it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        return f"uid {os.getuid()}"


def _subject(context: click.Context) -> str:
    """What it is done to: `site Outlet`, `run 5`."""
    told = []
    for parameter in context.command.params:
        name, value = parameter.name or "", context.params.get(parameter.name or "")
        if value is None or not (isinstance(parameter, click.Argument) or name in _SHOWN):
            continue
        metavar = (parameter.metavar or "").strip("[]").partition("|")[0].lower()
        noun = metavar if name == "wanted" else name.removesuffix("_id")
        told.append(f"{noun} {value}")
    return ", ".join(told)


def _detail(context: click.Context) -> dict[str, Any]:
    """The options that were typed, without their values."""
    typed = [
        parameter.name
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        and parameter.name not in _SHOWN
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    return {"options": typed} if typed else {}
