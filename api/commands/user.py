"""`inventory-sync user`: the people who sign in to the panel."""

from __future__ import annotations

import click

from api.commands.servers import with_database
from api.commands.shared import ask_secret, json_option, print_list
from models.access import User
from models.database import session
from workers import users

COLUMNS = ("id", "name", "role", "active", "created_at")


@click.group()
def user() -> None:
    """People who sign in to the panel."""


@user.command()
@click.option("--name", required=True, help="What the person signs in with.")
@click.option(
    "--role", required=True, type=click.Choice(users.ROLES), help="Each may do what those before it may."
)
@with_database
def create(name: str, role: str) -> None:
    """Add a person; the password is asked for, so that it stands in no shell history."""
    made = users.create(name, role, ask_secret("Password", confirm=True))
    click.echo(f"{made.name} may sign in as {role}")


@user.command("list")
@json_option
@with_database
def list_users(as_json: bool) -> None:
    """List the people."""
    with session():
        people = User.select().order_by(User.id)
        records = [{column: getattr(person, column) for column in COLUMNS} for person in people]
    print_list(as_json, records, COLUMNS, empty="nobody yet: see `inventory-sync user create`")
