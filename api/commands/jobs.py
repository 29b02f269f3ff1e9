"""`inventory-sync jobs`: the ledger's rows, and what to do about those that hang or have failed."""

from __future__ import annotations

import click

from api.commands.servers import with_database
from api.commands.shared import Failure, find_site, json_option, print_list
from models.database import session
from models.job import JOB_STATUSES, Job
from workers import ledger, rescue

FIELDS = (
    "id",
    "kind",
    "queue",
    "status",
    "site_id",
    "company_id",
    "run_id",
    "step",
    "attempts",
    "max_attempts",
    "calls",
    "error",
    "available_at",
    "started_at",
    "finished_at",
    "created_at",
)
COLUMNS = ("id", "kind", "status", "site_id", "run_id", "attempts", "created_at", "finished_at", "error")


@click.group()
def jobs() -> None:
    """Pieces of work: waiting, under way, done and failed."""


@jobs.command("list")
@click.option("--status", type=click.Choice(JOB_STATUSES), help="Only jobs that stand so.")
@click.option("--site", "wanted", metavar="SITE", help="Only this site's jobs.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@with_database
def list_jobs(status: str | None, wanted: str | None, limit: int, as_json: bool) -> None:
    """List jobs, the newest first."""
    query = Job.select().order_by(Job.id.desc()).limit(limit)
    if status is not None:
        query = query.where(Job.status == status)
    if wanted is not None:
        query = query.where(Job.site == find_site(wanted))
    with session():
        records = [{name: getattr(job, name) for name in FIELDS} for job in query]
    print_list(as_json, records, COLUMNS, empty="no such job")


@jobs.command()
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    help="Take jobs back that have run longer than this, besides those whose worker gives no sign of life.",
)
@with_database
def release_stuck(minutes: float) -> None:
    """Give hung jobs back to the queue; prints how many."""
    click.echo(f"{rescue.release_stuck(minutes)} jobs released")


@jobs.command()
@click.argument("job_id", metavar="JOB", type=click.IntRange(1))
@with_database
def retry(job_id: int) -> None:
    """Try a failed job again, with all its attempts."""
    if ledger.retry(job_id):
        click.echo(f"job {job_id} is waiting again")
        return
    with session():
        found = Job.get_or_none(Job.id == job_id)
    if found is None:
        raise Failure(f"JOB: there is no job {job_id}; see `inventory-sync jobs list --status failed`")
    if found.status != "failed":
        raise Failure(f"JOB: job {job_id} is {found.status}: only a failed one is tried again")
    raise Failure(
        f"JOB: the sync that job {job_id} belongs to is over: start another with `inventory-sync sync`"
    )
