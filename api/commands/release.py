"""`inventory-sync release`: let a held run set what it had set aside."""

from __future__ import annotations

import sys

import click

from api.commands.servers import servers
from api.commands.shared import ExitCode, Failure, find_site, json_option, print_table
from api.commands.sync import REQUESTED_BY, exit_code, report, watch_runs
from workers.errors import Conflict
from workers.full_sync import release as releasing
from workers.full_sync import runs
from workers.full_sync.requests import UnknownRun

SHOWN = 20  # SKUs; `sync-runs/{id}/items?outcome=held` of the API has all


@click.command()
@click.argument("run_id", metavar="RUN", type=click.IntRange(1))
@click.option("--yes", is_flag=True, help="Don't ask again.")
@json_option
def release(run_id: int, yes: bool, as_json: bool) -> None:
    """Release a run that the guard holds, after a look at what it would set to zero.

    Both ends are read again; only the SKUs that were set aside are written.
    """
    with servers() as runtime:
        try:
            run = runs.get(run_id)
            if run.status == "held" and not as_json:
                _show(run_id, run.held_reason or "")
            if run.status == "held" and not yes:
                _ask()
            run = releasing.release_run(run_id, requested_by=REQUESTED_BY)
        except UnknownRun:
            raise Failure(f"RUN: there is no run {run_id}; see `inventory-sync runs list`") from None
        except Conflict as error:
            raise Failure(f"run {run_id} is not released: {error.message}") from None
        if runtime is not None and runtime.started_by_us:
            raise Failure(
                "released, but nothing here works on it: start `inventory-sync up` in another terminal",
                ExitCode.UNREACHABLE,
            )
        ended = watch_runs({find_site(str(run.site_id)).name: run_id})
    report(ended, as_json)
    raise click.exceptions.Exit(exit_code(ended.values()))


def _show(run_id: int, reason: str) -> None:
    number, first = releasing.would_fall(run_id, SHOWN)
    click.echo(f"held: {reason}", err=True)
    print_table(("sku", "shows now"), first, empty="no SKU would fall to zero")
    if number > len(first):
        click.echo(f"... and {number - len(first):,} more", err=True)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise Failure("add --yes to release it without being asked", ExitCode.USAGE)
    click.confirm("Set them to what Business Central has now?", abort=True, err=True)
