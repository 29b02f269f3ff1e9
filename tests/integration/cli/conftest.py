"""Commands run in this process by click's own runner, or as the real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli import cli
from models import config
from models.company import Company
from models.database import configure, session
from models.site import Site

ROOT = Path(__file__).parents[3]

Run = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """`run("site", "list")`: the command's result; what it left of settings and pool is renewed after it."""

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        config.settings.cache_clear()  # a program of its own would read the environment anew
        result = CliRunner().invoke(cli, arguments, input=stdin, prog_name="inventory-sync")
        if "DATABASE_URL" in os.environ:
            configure()
        return result

    return invoke


@pytest.fixture
def program() -> Program:
    """`program("token", "list")`: the real program, in a process of its own."""

    def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


@pytest.fixture
def owner(database: str) -> Company:
    """A company that nobody calls."""
    with session():
        return Company.create(
            name="Contoso",
            tenant_id="contoso.onmicrosoft.com",
            environment="Production",
            company_id="3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            client_id="app",
            client_secret="the client secret",
            api_url="http://127.0.0.1:1/v2.0",
            token_url="http://127.0.0.1:1/token",
        )


@pytest.fixture
def shop(owner: Company) -> Site:
    """A BigCommerce site that nobody calls."""
    with session():
        return Site.create(
            name="Outlet",
            platform="bigcommerce",
            company=owner.id,
            store_key="bigcommerce:abc",
            store_hash="abc",
            api_url="http://127.0.0.1:1",
            access_token="the access token",
        )


def json_of(result: Result) -> Any:
    """What a command printed with --json, once it has gone well."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def only_line(result: Result | subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error, which is no traceback."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in lines[0]
    return lines[0]
