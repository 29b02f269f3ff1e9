"""`inventory-sync doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

import click

from api.commands.checkup import findings
from api.commands.finding import Finding
from api.commands.servers import servers
from api.commands.shared import ExitCode, json_option, print_json

MARKS = {
    "ok": click.style("ok         ", fg="green"),
    "warning": click.style("warning    ", fg="yellow"),
    "problem": click.style("PROBLEM    ", fg="red"),
    "unreachable": click.style("UNREACHABLE", fg="red"),
}


@click.command()
@click.option("--deep", is_flag=True, help="Also call every company and every active shop.")
@json_option
def doctor(deep: bool, as_json: bool) -> None:
    """Look at everything that this installation stands on; each finding says what to do."""
    with servers(migrated=False):
        found = []
        for finding in findings(deep=deep):
            found.append(finding)
            if not as_json:
                _say(finding)
    if as_json:
        print_json([asdict(finding) for finding in found])
    states = {finding.state for finding in found}
    if "unreachable" in states:
        raise click.exceptions.Exit(ExitCode.UNREACHABLE)
    if "problem" in states:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _say(finding: Finding) -> None:
    click.echo(f"{MARKS[finding.state]}  {finding.check}: {finding.message}")
    if finding.fix:
        click.echo(f"             -> {finding.fix}")
