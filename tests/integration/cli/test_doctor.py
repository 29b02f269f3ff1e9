"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet

from models.database import execute
from models.site import Site
from tests.integration.cli.conftest import Run, json_of
from tests.servers import Servers


def findings(run: Run, *options: str) -> dict[str, dict[str, Any]]:
    """What it found, by the name of the check, whatever the exit code."""
    result = run("doctor", "--json", *options)
    assert result.exit_code in (0, 1, 4), result.output
    return {finding["check"]: finding for finding in json.loads(result.stdout)}


@pytest.fixture
def evicting(environment: dict[str, str]) -> Iterator[None]:
    """A Redis that throws keys away when it is full, for as long as the test lasts."""
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            yield
        finally:
            client.config_set("maxmemory-policy", "noeviction")


def test_a_healthy_installation_has_no_problem(run: Run, shop: Site) -> None:
    found = json_of(run("doctor", "--json"))

    assert {finding["state"] for finding in found} <= {"ok", "warning"}
    assert "ok" in run("doctor").stdout


def test_a_redis_that_evicts_is_a_problem(run: Run, database: str, evicting: None) -> None:
    finding = findings(run)["redis memory"]

    assert finding["state"] == "problem"
    assert "maxmemory-policy noeviction" in finding["fix"]
    assert run("doctor").exit_code == 1


def test_a_redis_that_is_away_is_code_4(run: Run, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    result = run("doctor")

    assert result.exit_code == 4
    assert "correct REDIS_URL" in result.stdout
    assert "ok           database" in result.stdout


def test_a_database_that_is_away_is_code_4(
    run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@127.0.0.1:1/x")

    result = run("doctor")

    assert result.exit_code == 4
    assert "correct DATABASE_URL" in result.stdout


def test_missing_tables_are_a_problem(
    run: Run, environment: dict[str, str], servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.new_database(migrated=False))

    assert "run `inventory-sync migrate`" in findings(run)["migrations"]["fix"]


def test_a_secret_that_no_key_reads_is_named(run: Run, shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", Fernet.generate_key().decode())

    finding = findings(run)["encryption keys"]

    assert finding["state"] == "problem"
    assert f"rm_sites {shop.id} access_token" in finding["message"]


def test_hung_and_unclaimed_jobs_are_told_with_the_command_that_helps(run: Run, database: str) -> None:
    with_lapsed_lease = {"status": "processing", "lease_expires_at": "2026-01-01", "started_at": "2026-01-01"}
    for fields in (with_lapsed_lease, {"status": "pending", "available_at": "2026-01-01"}):
        names = ", ".join(fields)
        places = ", ".join(["%s"] * len(fields))
        execute(
            f"INSERT INTO rm_queue (queue, kind, {names}) VALUES ('sync', 'x', {places})",
            tuple(fields.values()),
        )

    found = findings(run)

    assert "1 jobs hang" in found["stuck jobs"]["message"]
    assert "release-stuck" in found["stuck jobs"]["fix"]
    assert found["waiting jobs"]["state"] == "problem"


def test_deep_calls_every_company_and_site(run: Run, shop: Site) -> None:
    found = findings(run, "--deep")

    assert found["company Contoso"]["state"] == "problem"
    assert found["site Outlet"]["state"] == "problem"
