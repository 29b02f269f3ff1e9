"""`inventory-sync sync`: ask for a full sync, watch it, and say how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from api.commands.progress import seconds_of, watch
from api.commands.servers import servers
from api.commands.shared import ExitCode, Failure, console, find_site, json_option, print_json, print_table
from models.database import session
from models.site import Site
from models.sync_run import SyncRun
from workers.full_sync.outlook import Figures
from workers.full_sync.progress import figures
from workers.full_sync.requests import Requested, request_sync, request_sync_all

REQUESTED_BY = "cli"
PATIENCE_SECONDS = 15.0  # a worker that runs takes a job within a second or two
COLUMNS = ("site", "status", "pushed", "unchanged", "skipped", "failed", "calls", "fewest_calls", "seconds")


@click.command()
@click.argument("wanted", metavar="SITE|all")
@click.option("--no-wait", is_flag=True, help="Only ask for it; `inventory-sync runs list` tells the rest.")
@json_option
def sync(wanted: str, no_wait: bool, as_json: bool) -> None:
    """Make one shop, or all active ones, show what Business Central has.

    Exit code 0 when every SKU that should show BC's stock does, 1 when something failed, 3 when the guard
    holds something back.
    """
    with servers() as runtime:
        requests = _request(wanted)
        names = _names([request.site_id for request in requests])
        if no_wait:
            _print_requests(requests, names, as_json)
            return
        if runtime is not None and runtime.started_by_us:
            raise Failure(
                f"queued as run {_numbers(requests)}, but nothing here works on it: "
                "start `inventory-sync up` in another terminal",
                ExitCode.UNREACHABLE,
            )
        _say_joined(requests, names)
        runs = watch_runs({names[request.site_id]: request.run_id for request in requests})
    report(runs, as_json)
    raise click.exceptions.Exit(exit_code(runs.values()))


def exit_code(runs: Any) -> int:
    """What the whole came to: a failure weighs more than a run that is held."""
    runs = list(runs)
    if any(run["status"] in ("failed", "cancelled") or run["failed"] for run in runs):
        return ExitCode.FAILED
    return ExitCode.HELD if any(run["status"] == "held" for run in runs) else ExitCode.RIGHT


def _request(wanted: str) -> list[Requested]:
    if wanted != "all":
        site = find_site(wanted)
        if not site.active:
            raise Failure(f"SITE: {site.name} is not active: `inventory-sync site activate {site.id}`")
        return [request_sync(site.id, requested_by=REQUESTED_BY)]
    requests = list(request_sync_all(requested_by=REQUESTED_BY))
    if not requests:
        raise Failure("no site is active: see `inventory-sync site list`")
    return requests


def _names(site_ids: Sequence[int]) -> dict[int, str]:
    with session():
        return {site.id: site.name for site in Site.select(Site.id, Site.name).where(Site.id << site_ids)}


def _print_requests(requests: Sequence[Requested], names: Mapping[int, str], as_json: bool) -> None:
    records = [
        {
            "site_id": request.site_id,
            "site": names[request.site_id],
            "run_id": request.run_id,
            "job_id": request.job_id,
            "status": request.status,
            "joined": request.joined,
        }
        for request in requests
    ]
    if as_json:
        print_json(records)
    else:
        print_table(
            ("site", "run", "status"), [(r["site"], r["run_id"], r["status"]) for r in records], empty=""
        )


def _say_joined(requests: Sequence[Requested], names: Mapping[int, str]) -> None:
    for request in requests:
        if request.joined:
            click.echo(f"{names[request.site_id]}: joined run {request.run_id}, asked for before", err=True)


def watch_runs(run_ids: Mapping[str, int]) -> dict[str, Figures]:
    """Show runs by their site's name until all are over; gives their last figures."""

    def fetch() -> dict[str, Figures]:
        with session():
            by_id = {run.id: run for run in SyncRun.select().where(SyncRun.id << list(run_ids.values()))}
            return {name: figures(by_id[run_id]) for name, run_id in run_ids.items()}

    try:
        return watch(console(error=True), fetch, _impatience(fetch))
    except KeyboardInterrupt:
        numbers = ", ".join(map(str, run_ids.values()))
        raise Failure(f"no longer watched, but it goes on: `inventory-sync runs show {numbers}`") from None


def _impatience(fetch: Callable[[], Mapping[str, Figures]]) -> Callable[[], None]:
    """Say once that no worker seems to run, where nothing has begun after a while."""
    asked_at, said = time.monotonic(), False

    def look() -> None:
        nonlocal said
        if said or time.monotonic() - asked_at < PATIENCE_SECONDS:
            return
        said = True
        if all(run["status"] == "queued" for run in fetch().values()):
            click.echo("nothing has begun yet: does a worker run? (`inventory-sync doctor`)", err=True)

    return look


def _numbers(requests: Sequence[Requested]) -> str:
    return ", ".join(str(request.run_id) for request in requests)


def report(runs: Mapping[str, Figures], as_json: bool) -> None:
    """Print how runs ended, and why where it was not well."""
    records = [{"site": name, **run, "seconds": seconds_of(run)} for name, run in runs.items()]
    if as_json:
        print_json(records)
        return
    print_table(COLUMNS, ([record[name] for name in COLUMNS] for record in records), empty="")
    for record in records:
        if record["error"]:
            click.echo(f"{record['site']}: {record['error']}", err=True)
