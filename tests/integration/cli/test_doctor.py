"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from cryptography.fernet import Fernet

from api.commands import checkup, checkup_redis
from models import setting
from models.database import execute, session
from models.site import Site
from tests.integration.cli.conftest import Program, Run
from tests.servers import Servers
from workers.alerts import check as alerts

HOUR = 3600.0


def findings(run: Run, *options: str) -> dict[str, dict[str, Any]]:
    """What it found, by the name of the check: the first of each. Its exit code is the one for what it found."""
    result = run("doctor", "--json", *options)
    found = json.loads(result.stdout)
    states = {finding["state"] for finding in found}
    assert result.exit_code == (4 if "unreachable" in states else 1 if "problem" in states else 0), (
        result.output
    )
    assert all(finding["fix"] for finding in found if finding["state"] != "ok"), "each says what to do"
    return {finding["check"]: finding for finding in reversed(found)}


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[redis.Redis]:
    """This test's Redis, whose settings are put back at the end."""
    names = ("maxmemory-policy", "maxmemory", "appendonly")
    with redis.Redis.from_url(environment["REDIS_URL"], decode_responses=True) as client:
        before = {name: client.config_get(name)[name] for name in names}
        try:
            yield client
        finally:
            for name, value in before.items():
                client.config_set(name, value)


def test_what_is_found_is_summed_up_for_a_person(run: Run, shop: Site) -> None:
    said = run("doctor").stdout

    assert "ok           database: PostgreSQL" in said
    assert re.search(r"^[1-9]\d* problems?, [1-9]\d* warnings?, [1-9]\d* right$", said, re.MULTILINE)


def test_settings_that_are_missing_are_named(program: Program, database: str) -> None:
    result = program("doctor", "--json", SECRET_KEY="")

    (finding,) = json.loads(result.stdout)
    assert (finding["check"], finding["state"], result.returncode) == ("settings", "problem", 1)
    assert finding["message"].startswith("SECRET_KEY: required with DATABASE_URL")


def test_servers_older_than_we_can_work_with_are_a_problem(
    run: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "OLDEST_POSTGRESQL", 990_000)  # they are old where more is demanded
    monkeypatch.setattr(checkup_redis, "OLDEST", {"Redis": 99, "Valkey": 99})

    found = findings(run)

    assert (found["database"]["state"], found["redis"]["state"]) == ("problem", "problem")
    assert "is too old" in found["database"]["message"]
    assert "Valkey 99, or newer" in found["redis"]["fix"]


def test_a_redis_that_evicts_is_a_problem(run: Run, database: str, server: redis.Redis) -> None:
    server.config_set("maxmemory-policy", "allkeys-lru")

    finding = findings(run)["redis memory"]

    assert finding["state"] == "problem"
    assert "maxmemory-policy noeviction" in finding["fix"]


def test_a_redis_that_forgets_at_a_restart_is_a_warning(run: Run, database: str, server: redis.Redis) -> None:
    server.config_set("appendonly", "no")
    assert findings(run)["redis persistence"]["state"] == "warning"

    server.config_set("appendonly", "yes")
    assert findings(run)["redis persistence"]["state"] == "ok"


def test_a_redis_that_is_nearly_full_is_a_problem(run: Run, database: str, server: redis.Redis) -> None:
    used = server.info("memory")["used_memory"]
    assert findings(run)["redis room"]["state"] == "ok"

    server.config_set("maxmemory", int(used * 1.05))

    finding = findings(run)["redis room"]
    assert (finding["state"], "raise maxmemory" in finding["fix"]) == ("problem", True)


def test_a_redis_that_hides_its_settings_is_a_warning(
    run: Run, environment: dict[str, str], server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.acl_setuser("guest", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"],
                       commands=["-config"])  # fmt: skip
    url = urlsplit(environment["REDIS_URL"])
    monkeypatch.setenv("REDIS_URL", url._replace(netloc=f"guest:secret@{url.hostname}:{url.port}").geturl())
    try:
        finding = findings(run)["redis settings"]
    finally:
        server.acl_deluser("guest")

    assert (finding["state"], "noeviction" in finding["fix"]) == ("warning", True)


def test_a_redis_that_is_away_is_code_4(run: Run, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    result = run("doctor")

    assert result.exit_code == 4
    assert "correct REDIS_URL" in result.stdout
    assert "ok           database" in result.stdout


def test_what_is_logged_meanwhile_is_not_mixed_into_the_json(program: Program, shop: Site) -> None:
    result = program("doctor", "--json", REDIS_URL="redis://127.0.0.1:1/0", LOG_LEVEL="INFO")

    assert any(found["state"] == "unreachable" for found in json.loads(result.stdout))
    assert "Redis is away" in result.stderr


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


def test_tables_of_a_newer_version_are_only_a_warning_and_the_rest_is_looked_at(
    run: Run, database: str
) -> None:
    execute("INSERT INTO rm_schema_migrations (name, applied) VALUES ('9999_later', now())")

    found = findings(run)

    assert found["migrations"]["state"] == "warning"
    assert "newer than this code: 9999_later" in found["migrations"]["message"]
    assert "encryption keys" in found


def test_a_secret_that_no_key_reads_is_named(run: Run, shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", Fernet.generate_key().decode())

    finding = findings(run)["encryption keys"]

    assert finding["state"] == "problem"
    assert f"rm_sites {shop.id} access_token" in finding["message"]


def test_a_clock_that_goes_wrong_is_a_warning(
    run: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings(run)["clock"]["state"] == "ok"

    monkeypatch.setattr(checkup, "time", SimpleNamespace(time=lambda: time.time() + HOUR))

    finding = findings(run)["clock"]
    assert (finding["state"], "-3600" in finding["message"], "NTP" in finding["fix"]) == (
        "warning",
        True,
        True,
    )


def test_an_open_alert_is_a_problem_and_one_that_nobody_would_hear_of_a_warning(run: Run, shop: Site) -> None:
    found = findings(run)
    assert (found["open alerts"]["state"], found["alert channels"]["state"]) == ("ok", "warning")

    execute("INSERT INTO rm_sync_runs (site_id, status, error) VALUES (%s, 'failed', 'it rains')", (shop.id,))
    alerts.check()
    with session():
        setting.change("alert_webhook_url", "https://hooks.example.com/services/1")

    found = findings(run)
    assert found["open alerts"]["message"] == "1: The sync of Outlet failed: it rains"
    assert found["alert channels"] == {
        "check": "alert channels", "state": "ok", "message": "webhook", "fix": None,
    }  # fmt: skip


def test_deep_calls_every_company_and_site(run: Run, shop: Site) -> None:
    found = findings(run, "--deep")

    assert found["connection of company Contoso"]["state"] == "problem"
    assert found["connection of site Outlet"]["state"] == "problem"
