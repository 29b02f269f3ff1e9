"""`inventory-sync release`: let a held run set what it had set aside."""

from __future__ import annotations

import click

from api.commands.servers import with_database
from api.commands.shared import Failure
from models.database import session
from models.sync_run import SyncRun


@click.command()
@click.argument("run_id", metavar="RUN", type=click.IntRange(1))
@with_database
def release(run_id: int) -> None:
    """Release a run that the guard holds, after a look at what it would set to zero."""
    with session():
        found = SyncRun.get_or_none(SyncRun.id == run_id)
    if found is None:
        raise Failure(f"RUN: there is no run {run_id}; see `inventory-sync runs list`")
    # Nothing holds a run yet: the guard comes with a later issue, and releasing with it.
    raise Failure(f"run {run_id} is not held: it is {found.status}")
