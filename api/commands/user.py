"""`inventory-sync user`: the people who sign in to the panel."""

from __future__ import annotations

import click

from api.commands.servers import with_database
from api.commands.shared import Failure, ask_secret, json_option, print_list
from models.access import User
from models.database import session
from workers import users
from workers.errors import UnknownRecord

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


@user.command()
@click.argument("name")
@with_database
def password(name: str) -> None:
    """Give a person a new password; it is asked for. They are signed out everywhere."""
    changed = users.change(_id(name), {"password": ask_secret("Password", confirm=True)})
    click.echo(f"{changed.name} has a new password, and is signed out everywhere")


@user.command()
@click.argument("name")
@click.argument("role", type=click.Choice(users.ROLES))
@with_database
def role(name: str, role: str) -> None:
    """Give a person another role, from their next sign-in on."""
    changed = users.change(_id(name), {"role": role})
    click.echo(f"{changed.name} is {role} from the next sign-in on")


@user.command()
@click.argument("name")
@with_database
def deactivate(name: str) -> None:
    """Shut a person out at once: signed out everywhere, and no way in again."""
    click.echo(f"{users.change(_id(name), {'active': False}).name} can't sign in any more")


@user.command()
@click.argument("name")
@with_database
def activate(name: str) -> None:
    """Let a person in again who was deactivated."""
    click.echo(f"{users.change(_id(name), {'active': True}).name} may sign in again")


def _id(name: str) -> int:
    try:
        return users.named(name).id
    except UnknownRecord as error:
        raise Failure(f"NAME: there is no user {name}; see `inventory-sync user list`") from error


@user.command("list")
@json_option
@with_database
def list_users(as_json: bool) -> None:
    """List the people."""
    with session():
        people = User.select().order_by(User.id)
        records = [{column: getattr(person, column) for column in COLUMNS} for person in people]
    print_list(as_json, records, COLUMNS, empty="nobody yet: see `inventory-sync user create`")
