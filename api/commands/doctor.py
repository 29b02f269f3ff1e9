"""`inventory-sync doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from api.commands.checkup import findings
from api.commands.finding import Finding
from api.commands.servers import servers
from api.commands.shared import ExitCode, json_option, print_json
from models.config import SettingsError
from workers.wording import numbered

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
    found = []
    for finding in _findings(deep):
        found.append(finding)
        if not as_json:
            _say(finding)
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        _sum_up(found)
    states = {finding.state for finding in found}
    if "unreachable" in states:
        raise click.exceptions.Exit(ExitCode.UNREACHABLE)
    if "problem" in states:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _findings(deep: bool) -> Iterator[Finding]:
    try:
        with servers(migrated=False):
            yield from findings(deep=deep)
    except SettingsError as error:
        for line in str(error).splitlines():
            yield Finding("settings", "problem", line, "correct it in the environment: docs/configuration.md")


def _sum_up(found: Sequence[Finding]) -> None:
    number = Counter(finding.state for finding in found)
    wrong = number["problem"] + number["unreachable"]
    click.echo(
        f"{numbered(wrong, 'problem', 'problems')}, {numbered(number['warning'], 'warning', 'warnings')}, "
        f"{number['ok']} right"
    )


def _say(finding: Finding) -> None:
    click.echo(f"{MARKS[finding.state]}  {finding.check}: {finding.message}")
    if finding.fix:
        click.echo(f"             -> {finding.fix}")
