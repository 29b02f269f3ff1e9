"""`inventory-sync alerts`: what is wrong, and whether those who should know hear of it."""

from __future__ import annotations

from dataclasses import asdict

import click

from api.commands.servers import with_database
from api.commands.shared import ExitCode, json_option, print_json, print_list
from models.alert import ALERT_STATES, Alert
from models.database import session
from workers.alerts import channels

FIELDS = (
    "id",
    "kind",
    "subject",
    "site_id",
    "state",
    "change",
    "sentence",
    "details",
    "opened_at",
    "changed_at",
    "resolved_at",
    "webhook_change",
    "webhook_sent_at",
    "email_change",
    "email_sent_at",
)
COLUMNS = ("id", "kind", "subject", "state", "opened_at", "resolved_at", "sentence")


@click.group()
def alerts() -> None:
    """What a person should know of, and who is told."""


@alerts.command("list")
@click.option("--state", type=click.Choice(ALERT_STATES), help="Only alerts that stand so.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@with_database
def list_alerts(state: str | None, limit: int, as_json: bool) -> None:
    """List alerts, the newest first."""
    query = Alert.select().order_by(Alert.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Alert.state == state)
    with session():
        records = [{name: getattr(alert, name) for name in FIELDS} for alert in query]
    print_list(as_json, records, COLUMNS, empty="no such alert")


@alerts.command()
@json_option
@with_database
def test(as_json: bool) -> None:
    """Send a test by every channel that is set up, and say what became of it."""
    trials = channels.test(requested_by="the command line")
    if as_json:
        print_json([asdict(trial) for trial in trials])
    for trial in () if as_json else trials:
        mark = click.style("ok  ", fg="green") if trial.ok else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {trial.channel}: {trial.message}")
    if not all(trial.ok for trial in trials):
        raise click.exceptions.Exit(ExitCode.FAILED)
