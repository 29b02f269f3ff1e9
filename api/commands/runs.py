"""`inventory-sync runs`: what was synced when, and how it ended."""

from __future__ import annotations

from typing import Any

import click

from api.commands.servers import with_database
from api.commands.shared import Failure, find_site, json_option, print_json, print_list, print_table, shown
from models.database import session
from models.site import Site
from models.sync_run import SyncRun
from workers.full_sync.progress import figures

COLUMNS = ("id", "site", "status", "step", "pushed", "unchanged", "skipped", "failed", "calls", "started_at")


@click.group()
def runs() -> None:
    """Full syncs: what runs, and what has run."""


@runs.command("list")
@click.option("--site", "wanted", metavar="SITE", help="Only this site's runs.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
@with_database
def list_runs(wanted: str | None, limit: int, as_json: bool) -> None:
    """List runs, the newest first."""
    query = SyncRun.select(SyncRun, Site).join(Site).order_by(SyncRun.id.desc()).limit(limit)
    if wanted is not None:
        query = query.where(SyncRun.site == find_site(wanted))
    with session():
        records = [described(run) for run in query]
    print_list(as_json, records, COLUMNS, empty="no run yet: see `inventory-sync sync`")


@runs.command()
@click.argument("run_id", metavar="RUN", type=click.IntRange(1))
@json_option
@with_database
def show(run_id: int, as_json: bool) -> None:
    """Show one run whole."""
    with session():
        found = SyncRun.select(SyncRun, Site).join(Site).where(SyncRun.id == run_id).get_or_none()
        if found is None:
            raise Failure(f"RUN: there is no run {run_id}; see `inventory-sync runs list`")
        record = described(found)
    if as_json:
        print_json(record)
        return
    print_table(("field", "value"), [(name, shown(value)) for name, value in record.items()], empty="")


def described(run: SyncRun) -> dict[str, Any]:
    """A run's figures beside its site's name."""
    return {"site": run.site.name, **figures(run)}
