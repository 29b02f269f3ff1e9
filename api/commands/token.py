"""`inventory-sync token`: the bearer tokens of the REST API."""

from __future__ import annotations

import click

from api.commands.servers import with_database
from api.commands.shared import Failure, json_option, print_list
from models.access import SCOPES, ApiToken
from models.database import session
from workers import tokens
from workers.errors import UnknownRecord

COLUMNS = ("id", "name", "scope", "created_at", "last_used_at", "revoked_at")


@click.group()
def token() -> None:
    """Bearer tokens for the REST API."""


@token.command()
@click.option("--name", required=True, help="Who will use it.")
@click.option(
    "--scope", required=True, type=click.Choice(SCOPES), help="Each may do what those before it may."
)
@with_database
def create(name: str, scope: str) -> None:
    """Make a token and print it alone; only its hash is kept, so it is never shown again."""
    _, text = tokens.create(name, scope)
    click.echo(text)


@token.command("list")
@json_option
@with_database
def list_tokens(as_json: bool) -> None:
    """List the tokens, without their text."""
    with session():
        found = ApiToken.select().order_by(ApiToken.id)
        records = [{column: getattr(one, column) for column in COLUMNS} for one in found]
    print_list(as_json, records, COLUMNS, empty="no token yet: see `inventory-sync token create`")


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1))
@with_database
def revoke(token_id: int) -> None:
    """End a token for good, by its id."""
    try:
        tokens.revoke(token_id)
    except UnknownRecord as error:
        raise Failure(f"ID: there is no token {token_id}; see `inventory-sync token list`") from error
    click.echo(f"token {token_id} is revoked")
