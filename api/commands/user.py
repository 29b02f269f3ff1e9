"""`inventory-sync user`: the people who sign in to the panel."""

from __future__ import annotations

import click
import peewee
from werkzeug.security import generate_password_hash

from api.commands.servers import with_database
from api.commands.shared import Failure, ask_secret, json_option, print_list
from models.access import User
from models.database import session

ROLES = ("viewer", "operator", "admin")
SHORTEST_PASSWORD = 12  # characters; the panel faces a network, and length is what resists guessing
COLUMNS = ("id", "name", "role", "active", "created_at")


@click.group()
def user() -> None:
    """People who sign in to the panel."""


@user.command()
@click.option("--name", required=True, help="What the person signs in with.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="Each may do what those before it may.")
@with_database
def create(name: str, role: str) -> None:
    """Add a person; the password is asked for, so that it stands in no shell history."""
    name = name.strip()
    if not name:
        raise click.BadParameter("must not be empty", param_hint="--name")
    password = ask_secret("Password", confirm=True)
    if len(password) < SHORTEST_PASSWORD:
        raise Failure(f"password: at least {SHORTEST_PASSWORD} characters")
    try:
        with session():
            User.create(name=name, role=role, password_hash=generate_password_hash(password, "scrypt"))
    except peewee.IntegrityError as error:
        raise Failure(f"--name: there is a user named {name} already") from error
    click.echo(f"{name} may sign in as {role}")


@user.command("list")
@json_option
@with_database
def list_users(as_json: bool) -> None:
    """List the people."""
    with session():
        people = User.select().order_by(User.id)
        records = [{column: getattr(person, column) for column in COLUMNS} for person in people]
    print_list(as_json, records, COLUMNS, empty="nobody yet: see `inventory-sync user create`")
