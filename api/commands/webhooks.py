"""`inventory-sync webhooks`: what shops shall tell us, whether they do, and doing deliveries again."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click

from api.commands.servers import with_database
from api.commands.shared import ExitCode, Failure, find_site, json_option, print_json, print_list, print_table
from models.database import session
from models.webhook_log import DELIVERY_STATUSES, WebhookLog
from workers import clock
from workers.webhooks import deliveries, registration, trial
from workers.webhooks.registration import Report

FIELDS = (
    "id",
    "site_id",
    "event_type",
    "status",
    "error_message",
    "received_at",
    "attempts",
    "verdict",
    "resource",
    "product_id",
    "job_id",
    "processed_at",
)
COLUMNS = ("id", "site_id", "received_at", "event_type", "resource", "status", "attempts", "error_message")
_AGO = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType):
    """`2h` ago, or a time with its zone; as a length or a moment."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> timedelta | datetime:
        ago = _AGO.fullmatch(str(value))
        if ago is not None:
            return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail(
                "give 90s, 30m, 2h or 7d, or a time with its zone: 2026-03-19T02:15:23Z", param, context
            )
        return moment


def _moment(since: timedelta | datetime) -> datetime:
    return clock.now() - since if isinstance(since, timedelta) else since


@click.group()
def webhooks() -> None:
    """What shops shall tell us: registered, watched, tried and done again."""


@webhooks.command()
@click.argument("wanted", metavar="SITE")
@json_option
@with_database
def register(wanted: str, as_json: bool) -> None:
    """Register a shop's webhooks: create what is missing, bring back what is disabled, remove stale ones."""
    report = registration.register(find_site(wanted))
    if as_json:
        print_json(_described(report))
        return
    for name in ("created", "restored", "updated", "removed"):
        for topic in getattr(report, name):
            click.echo(f"{name}: {topic}")
    click.echo(
        f"{len(report.topics)} webhooks deliver to {report.destination}; {len(report.kept)} were right"
    )
    if report.sync_run_id is not None:
        click.echo(f"sync run {report.sync_run_id} makes up for what was missed")


@webhooks.command()
@click.argument("wanted", metavar="SITE")
@json_option
@with_database
def status(wanted: str, as_json: bool) -> None:
    """Ask the shop which webhooks are healthy, disabled or missing; code 1 unless all are healthy."""
    report = registration.status(find_site(wanted))
    if as_json:
        print_json(_described(report))
    else:
        cells = [(one.topic, one.state, one.hook_id, one.last_delivery_at) for one in report.topics]
        print_table(("topic", "state", "hook_id", "last_delivery_at"), cells, empty="nothing to listen to")
        if report.stale:
            click.echo(f"{report.stale} of ours are of no use any more: `webhooks register` removes them")
    if not report.healthy:
        raise click.exceptions.Exit(ExitCode.FAILED)


@webhooks.command("test")
@click.argument("wanted", metavar="SITE")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1, max=600),
    default=trial.FOLLOW_SECONDS,
    show_default=True,
    help="Seconds to follow the delivery.",
)
@json_option
@with_database
def try_webhooks(wanted: str, timeout: float, as_json: bool) -> None:
    """Send a signed delivery of our own through the public address, and follow it to its effect."""
    found = trial.send(find_site(wanted), follow_seconds=timeout)
    if as_json:
        print_json(asdict(found))
    for step in () if as_json else found.steps:
        mark = click.style("ok  ", fg="green") if step.ok else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {step.name} ({step.seconds:.2f} s): {step.message}")
    if not found.ok:
        raise click.exceptions.Exit(ExitCode.FAILED)


@webhooks.command()
@click.argument("delivery_id", metavar="[ID]", type=click.IntRange(1), required=False)
@click.option("--site", "wanted", metavar="SITE", help="All failed deliveries of this site.")
@click.option("--since", type=Since(), help="Since when: 2h, or a time such as 2026-03-19T02:15:23Z.")
@with_database
def replay(delivery_id: int | None, wanted: str | None, since: timedelta | datetime | None) -> None:
    """Do one delivery again, or all failed ones of a site since a time."""
    if delivery_id is not None and wanted is None and since is None:
        click.echo(f"job {deliveries.replay(delivery_id)} does delivery {delivery_id} again")
    elif delivery_id is None and wanted is not None and since is not None:
        number = deliveries.replay_failed(find_site(wanted).id, _moment(since))
        click.echo(f"{number} failed deliveries are done again")
    else:
        raise Failure("give either an ID, or --site and --since", ExitCode.USAGE)


@webhooks.command("list")
@click.option("--site", "wanted", metavar="SITE", help="Only this site's deliveries.")
@click.option("--status", type=click.Choice(DELIVERY_STATUSES), help="Only deliveries that stand so.")
@click.option("--since", type=Since(), help="Received since: 2h, or a time such as 2026-03-19T02:15:23Z.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@with_database
def list_deliveries(
    wanted: str | None, status: str | None, since: timedelta | datetime | None, limit: int, as_json: bool
) -> None:
    """List what shops have delivered, the newest first."""
    query = WebhookLog.select().order_by(WebhookLog.id.desc()).limit(limit)
    if wanted is not None:
        query = query.where(WebhookLog.site == find_site(wanted))
    if status is not None:
        query = query.where(WebhookLog.status == status)
    if since is not None:
        query = query.where(WebhookLog.received_at >= _moment(since))
    with session():
        records = [{name: getattr(entry, name) for name in FIELDS} for entry in query]
    print_list(as_json, records, COLUMNS, empty="no such delivery")


def _described(report: Report) -> dict[str, Any]:
    return {**asdict(report), "healthy": report.healthy}
