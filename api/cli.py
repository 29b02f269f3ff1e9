"""The command line, `inventory-sync`: the names of the commands and where each of them is."""

from __future__ import annotations

import signal
from types import FrameType

import click

from api.commands.group import RootGroup

COMMANDS = {
    "up": "api.commands.up:up",
    "demo": "api.commands.demo:demo",
    "company": "api.commands.company:company",
    "site": "api.commands.site:site",
    "sync": "api.commands.sync:sync",
    "release": "api.commands.release:release",
    "stats": "api.commands.stats:stats",
    "runs": "api.commands.runs:runs",
    "items": "api.commands.items:items",
    "jobs": "api.commands.jobs:jobs",
    "webhooks": "api.commands.webhooks:webhooks",
    "alerts": "api.commands.alerts:alerts",
    "token": "api.commands.token:token",
    "user": "api.commands.user:user",
    "keys": "api.commands.keys:keys",
    "migrate": "api.commands.migrate:migrate",
    "doctor": "api.commands.doctor:doctor",
}


@click.group(
    cls=RootGroup,
    commands_by_name=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="inventory-sync", message="%(version)s")
@click.option("--debug", is_flag=True, help="On an error, show where it came from.")
def cli(debug: bool) -> None:
    """Keep the stock of BigCommerce and WooCommerce shops equal to Business Central.

    SITE is a site's id or its exact name. Exit codes: 0 right, 1 failed, 2 wrong usage, 3 held by the guard,
    4 a server can't be reached.
    """


def main() -> None:
    """The entry point. Every polite signal ends a command as Ctrl-C does, so that what it started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    cli(prog_name="inventory-sync")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
