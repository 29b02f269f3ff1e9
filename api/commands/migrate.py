"""`inventory-sync migrate`: bring the tables up to date."""

from __future__ import annotations

import click

from api.commands.servers import servers
from models import migrate as migrations


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 where something is pending.")
def migrate(check: bool) -> None:
    """Bring the tables up to date; safe to run from many places at once."""
    with servers(migrated=False):
        if check:
            _check()
            return
        applied = migrations.migrate()
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the tables are up to date")


def _check() -> None:
    pending = migrations.pending()
    for name in pending:
        click.echo(f"pending {name}")
    if pending:
        raise click.exceptions.Exit(1)
    click.echo("the tables are up to date")
