"""`inventory-sync up`: everything in one terminal."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Mapping

import click
import requests

from api import procfile, supervisor
from api.commands.ports import is_free
from api.commands.servers import servers
from api.commands.shared import Failure
from models.embedded import Runtime
from models.migrate import migrate

DEFAULT_PORT = 8000
READY_WITHIN_SECONDS = 60.0
LOOK_SECONDS = 0.3


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65534),
    default=DEFAULT_PORT,
    show_default=True,
    help="For the API and the panel; the webhook receivers take the next one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
def up(port: int, host: str) -> None:
    """Run everything in this terminal until Ctrl-C: servers where none are given, API, workers, schedule."""
    for number in (port, port + 1):
        if not is_free(host, number):
            raise Failure(f"--port: {number} can't be listened on at {host}; choose another one")
    with servers(report=functools.partial(click.echo, err=True)) as runtime:
        for name in migrate():
            click.echo(f"applied migration {name}")
        code = supervisor.run(
            procfile.load(),
            role_environment(os.environ, runtime, host, port, port + 1),
            on_ready=functools.partial(_say_when_ready, host, port),
        )
    raise click.exceptions.Exit(code)


def role_environment(
    base: Mapping[str, str], runtime: Runtime | None, host: str, port: int, webhook_port: int
) -> dict[str, str]:
    """What the roles of the Procfile need beside the environment that they inherit."""
    # Their output is a pipe to us, but a person reads it where ours is a terminal.
    log_format = {"LOG_FORMAT": "console"} if sys.stdout.isatty() else {}
    environment = {**log_format, **base, "HOST": host, "PORT": str(port), "WEBHOOK_PORT": str(webhook_port)}
    if runtime is not None:
        environment["DATA_DIR"] = str(runtime.data_dir)  # the servers are found there
    return environment


def wait_until_ready(url: str, seconds: float = READY_WITHIN_SECONDS) -> bool:
    """Whether the API says within that time that it can work."""
    deadline = time.monotonic() + seconds
    with requests.Session() as http:
        http.trust_env = False  # a proxy of the environment has no business on this machine
        while time.monotonic() < deadline:
            try:
                if http.get(f"{url}/readyz", timeout=5).ok:
                    return True
            except requests.RequestException:
                pass  # not listening yet
            time.sleep(LOOK_SECONDS)
    return False


def _say_when_ready(host: str, port: int) -> None:
    shown = host if host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - what was asked for, not bound
    if not wait_until_ready(f"http://{shown}:{port}"):
        click.echo(
            f"the API has not become ready in {READY_WITHIN_SECONDS:.0f} s: see the lines above", err=True
        )
        return
    click.echo(
        f"\n  API       http://{shown}:{port}/api/v1/openapi.json"
        f"\n  webhooks  http://{shown}:{port + 1}/webhooks/..."
        "\n  a token   inventory-sync token create --name me --scope admin"
        "\n  the end   Ctrl-C\n"
    )
