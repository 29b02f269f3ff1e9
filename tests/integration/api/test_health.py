"""Alive, ready and measured: of the web process and of the receivers."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from flask import Flask

from api import health
from api.app import create_app
from api.receiver import app as receiver
from models import config
from models import database as models_database
from models.database import execute
from tests.receivers import Gunicorn

NOWHERE = "postgresql://nobody:nothing@127.0.0.1:1/nothing"


@pytest.fixture(params=[create_app, receiver.create_app], ids=["web", "receiver"])
def process(request: pytest.FixtureRequest, database: str, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setattr(health, "_migrated", False)
    made: Flask = request.param()
    return made


def test_a_whole_system_is_ready(process: Flask) -> None:
    answer = process.test_client().get("/readyz")

    assert answer.status_code == 200
    checks = {"database": "ok", "redis": "ok", "migrations": "ok"}
    assert answer.get_json() == {"status": "ready", "checks": checks}


def test_without_postgresql_it_is_alive_but_not_ready(process: Flask) -> None:
    models_database.db.close_all()
    models_database.configure(NOWHERE)
    client = process.test_client()

    assert client.get("/healthz").get_json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["code"] == "not_ready"
    assert answer.get_json()["detail"] == "The database is unreachable."
    assert answer.get_json()["checks"]["database"] == "unreachable"
    assert answer.headers["Retry-After"]


def test_with_a_migration_missing_it_is_not_ready(process: Flask) -> None:
    execute("DELETE FROM rm_schema_migrations WHERE name LIKE '0003%%'")
    client = process.test_client()

    assert client.get("/readyz").get_json()["detail"].startswith("Migrations are pending")
    assert client.get("/healthz").status_code == 200


def test_without_redis_it_is_still_ready_and_says_so(process: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    config.settings.cache_clear()

    answer = process.test_client().get("/readyz")

    assert answer.status_code == 200
    assert answer.get_json()["status"] == "degraded"
    assert answer.get_json()["checks"]["redis"] == "unreachable"


def test_metrics_are_prometheus_text(process: Flask) -> None:
    answer = process.test_client().get("/metrics")

    assert answer.content_type.startswith("text/plain")
    assert b"process_resident_memory_bytes" in answer.get_data()


@pytest.mark.parametrize("role", ["web", "webhook"])
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_metrics_are_not_there_for_whoever_comes_through_the_ingress(
    environment: dict[str, str], role: str, proxies: str
) -> None:
    with Gunicorn({**environment, "TRUSTED_PROXIES": proxies}, role=role) as pod:
        inside = ask(pod, "/metrics")
        outside = [
            ask(pod, "/metrics", **{"X-Forwarded-For": "203.0.113.7"}),
            ask(pod, "/metrics/", **{"X-Forwarded-For": "10.0.0.1, 203.0.113.7"}),
            ask(pod, "/metrics", Forwarded="for=203.0.113.7"),
        ]
        unknown = ask(pod, "/nothing", **{"X-Forwarded-For": "203.0.113.7"})

    assert inside[0] == 200
    assert b"process_resident_memory_bytes" in inside[2]
    for status, kind, body in outside:
        assert (status, kind) == (404, "application/problem+json")
        assert {**json.loads(body), "request_id": ""} == {**json.loads(unknown[2]), "request_id": ""}


def ask(pod: Gunicorn, path: str, **headers: str) -> tuple[int, str, bytes]:
    """Status, type and body of an answer."""
    with closing(pod.connect()) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()


def test_the_receivers_know_nothing_else(database: str) -> None:
    answer = receiver.create_app().test_client().get("/api/v1/sites")

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["code"] == "not_found"
