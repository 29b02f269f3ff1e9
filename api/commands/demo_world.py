"""Where the demo lives: a folder of its own, embedded servers, simulated vendors and all roles."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from api import procfile
from api.commands.ports import free_pair
from api.commands.shared import Failure
from api.commands.up import DEFAULT_PORT, role_environment, wait_until_ready
from api.supervisor import Supervisor
from models.config import Settings
from models.embedded import Runtime, default_data_dir, running
from models.migrate import migrate

if TYPE_CHECKING:
    from tests.simulators.process import Simulators

HOST = "127.0.0.1"
CHECKOUT = procfile.PROCFILE.parent
LOG_LINES_SHOWN = 40
PASSABLE = 0o711  # as root PostgreSQL runs as another user, who has to get through


@dataclass(frozen=True)
class World:
    """Everything that runs."""

    simulators: Simulators
    url: str
    environment: dict[str, str]
    hurry: Callable[[], None]


@contextmanager
def world(folder: Path, plan: dict[str, Any]) -> Iterator[World]:
    """Start everything, and stop it at the end in the reverse order. Raises Failure with the log's end."""
    log_file = folder / "demo.log"
    with ExitStack() as stack:
        log = stack.enter_context(log_file.open("w", buffering=1))
        stack.enter_context(_showing_on_failure(log_file))
        simulators, runtime = _servers(stack, folder, plan, functools.partial(_write_line, log, "servers"))
        port, webhook_port = free_pair(HOST, DEFAULT_PORT)
        environment = role_environment(clean_environment(), runtime, HOST, port, webhook_port)
        roles = Supervisor(procfile.load(), environment, write=functools.partial(_write_line, log))
        stack.enter_context(roles)
        url = f"http://{HOST}:{port}"
        if not wait_until_ready(url):
            raise Failure(f"the API at {url} did not become ready")
        yield World(simulators, url, environment, roles.hurry)


def _write_line(log: TextIO, name: str, line: str) -> None:
    log.write(f"{name:16} {click.unstyle(line)}\n")


def _servers(
    stack: ExitStack, folder: Path, plan: dict[str, Any], report: Callable[[str], None]
) -> tuple[Simulators, Runtime]:
    """The simulated vendors and the embedded servers, side by side: each takes some seconds."""
    start = simulators_class().start
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(lambda: start(**plan))
        try:
            runtime = stack.enter_context(running(folder / "data", durable=True, report=report))
            migrate(runtime.database_url)
        finally:
            simulators = stack.enter_context(coming.result())
    return simulators, runtime


@contextmanager
def _showing_on_failure(log_file: Path) -> Iterator[None]:
    try:
        yield
    except Exception:
        lines = log_file.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        click.echo("\n".join(["the last lines of the log:", *(f"  {line}" for line in lines)]), err=True)
        raise


def clean_environment() -> dict[str, str]:
    """The environment without our settings: a demo must never reach the user's own database."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    return {**kept, "ALLOW_PRIVATE_ADDRESSES": "true", "LOG_FORMAT": "console"}


def simulators_class() -> type[Simulators]:
    """The simulators of the source checkout. Raises Failure where the product was installed without them."""
    if not (CHECKOUT / "tests" / "simulators" / "process.py").is_file():
        raise Failure("the demo's simulated vendors are part of the source: run `make demo` in a checkout")
    if str(CHECKOUT) not in sys.path:
        sys.path.insert(0, str(CHECKOUT))
    found: type[Simulators] = importlib.import_module("tests.simulators.process").Simulators
    return found


@contextmanager
def demo_folder(given: Path | None, *, keep: bool) -> Iterator[Path]:
    """An empty folder for this demo alone, gone at its end, whatever end that is, unless it is to be kept."""
    folder = _made(given)
    if keep:
        try:
            yield folder
        finally:
            click.echo(f"kept: {folder} (its DATA_DIR is {folder / 'data'})")
        return
    # A process that stops the servers and removes the folder once we are gone, even if we were killed.
    guard = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "tests.servers", str(folder), str(os.getpid())],
        stdin=subprocess.PIPE,
        cwd=CHECKOUT,
        start_new_session=True,  # Ctrl-C in the terminal is for the demo
    )
    try:
        yield folder
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


def _made(given: Path | None) -> Path:
    try:
        if given is not None:
            folder = given.expanduser().absolute()
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise Failure(f"--data-dir: {folder} is not empty; the demo wants a folder of its own")
        else:
            # Beside the real thing's folder: what runs there runs here.
            place = default_data_dir().parent
            place.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="inventory-sync-demo-", dir=place))
    except OSError as error:
        raise Failure(f"--data-dir: no folder can be made ({error.strerror}); name one that can") from error
    folder.chmod(PASSABLE)
    return folder
