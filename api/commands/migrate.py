"""`inventory-sync migrate`: bring the tables up to date."""

from __future__ import annotations

import signal
import sys
import time

import click
from peewee import PeeweeException

from api.commands.recording import begin
from api.commands.servers import servers
from models import migrate as migrations
from workers import audit

WAIT_SECONDS = 1.0  # between two looks, while somebody else migrates


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 where something is pending.")
@click.option("--wait", is_flag=True, help="Change nothing; return once somebody else has done it.")
def migrate(check: bool, wait: bool) -> None:
    """Bring the tables up to date; safe to run from many places at once."""
    with servers(migrated=False):
        if wait:
            _wait()
            return
        if check:
            _check()
            return
        applied = migrations.migrate()
        if applied:
            audit.finish(begin(click.get_current_context()), "done", {"applied": applied})
        else:
            click.echo(f"nothing to do: {_up_to_date()}")
    for name in applied:
        click.echo(f"applied {name}")


def _up_to_date() -> str:
    newer = migrations.newer()
    if newer:
        return f"the tables are newer than this code, which runs on them too ({', '.join(newer)} of a newer version)"
    return "the tables are up to date"


def _check() -> None:
    pending = migrations.pending()
    for name in pending:
        click.echo(f"pending {name}")
    if pending:
        raise click.exceptions.Exit(1)
    click.echo(_up_to_date())


def _wait() -> None:
    """What an init container does: it outlasts a PostgreSQL that is away, and ends at SIGTERM as PID 1, too."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    said = None
    while reason := _reason_to_wait():
        if reason != said:
            click.echo(f"waiting: {reason}")
        said = reason
        time.sleep(WAIT_SECONDS)
    click.echo(_up_to_date())


def _reason_to_wait() -> str | None:
    try:
        pending = migrations.pending()
    except PeeweeException as error:
        return f"PostgreSQL is away ({type(error).__name__})"
    return f"{', '.join(pending)} not applied yet" if pending else None
