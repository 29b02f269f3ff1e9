"""`inventory-sync keys`: make encryption keys, and move all stored secrets to the newest one."""

from __future__ import annotations

import click
from cryptography.fernet import Fernet

from api.commands.servers import with_database
from api.commands.shared import Failure, print_table
from workers import secret_columns


@click.group()
def keys() -> None:
    """The keys that encrypt stored credentials."""


@keys.command()
def generate() -> None:
    """Print a new key: put it first in ENCRYPTION_KEYS, keep the old ones until `keys rotate` is done."""
    click.echo(Fernet.generate_key().decode())


@keys.command()
@with_database
def rotate() -> None:
    """Encrypt every stored secret anew with the first key of ENCRYPTION_KEYS."""
    reports = secret_columns.rotate()
    print_table(
        ("table", "rows", "re-encrypted", "unreadable"),
        [
            (report.table, report.rows, report.secrets - len(report.unreadable), len(report.unreadable))
            for report in reports
        ],
        empty="no table has secrets",
    )
    unreadable = [place for report in reports for place in report.unreadable]
    if unreadable:
        raise Failure(
            f"ENCRYPTION_KEYS: no key reads {', '.join(unreadable[:5])}"
            f"{' and more' if len(unreadable) > 5 else ''}; add the key that wrote them to the end of the "
            "list and rotate again, or set those secrets anew"
        )
    click.echo("all secrets are under the newest key: older keys may leave ENCRYPTION_KEYS")
