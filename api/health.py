"""Is this process alive, may it be sent requests, and what does it use?"""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, abort, jsonify, request
from peewee import PeeweeException
from prometheus_client import CONTENT_TYPE_LATEST

from api.auth import PUBLIC, needs
from api.errors import RETRY_AFTER_SECONDS, ProblemError, problem
from models.database import row
from models.migrate import pending
from workers import metrics as measured
from workers import redis_client

log = structlog.get_logger()

OK = "ok"
# Scrapes within a cluster have neither, behind a mesh's sidecar too.
_THROUGH_A_PROXY = ("X-Forwarded-For", "Forwarded")
_NOT_READY = {
    "database": "The database is unreachable.",
    "migrations": "Migrations are pending: run `inventory-sync migrate`.",
}


def blueprint() -> Blueprint:
    """The three addresses that need no token, since they tell nothing of the business."""
    health = Blueprint("health", __name__)
    health.add_url_rule("/healthz", view_func=healthz)
    health.add_url_rule("/readyz", view_func=readyz)
    health.add_url_rule("/metrics", view_func=metrics)
    return health


@needs(PUBLIC)
def healthz() -> Response:
    """Alive. Never asks the database: restarting this process would not bring that back."""
    return jsonify(status=OK)


@needs(PUBLIC)
def readyz() -> Response:
    """Ready: the database answers and has this code's schema. Says which part isn't.

    Redis is told but not required: without it work waits in PostgreSQL, and refusing requests would lose
    webhooks that could have been kept.
    """
    checks = {"database": _database(), "redis": _redis()}
    checks["migrations"] = _migrations() if checks["database"] == OK else "unknown"
    for name in ("database", "migrations"):
        if checks[name] != OK:
            wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return problem(ProblemError(503, "not_ready", _NOT_READY[name], headers=wait), checks=checks)
    return jsonify(status="ready" if checks["redis"] == OK else "degraded", checks=checks)


@needs(PUBLIC)
def metrics() -> Response:
    """Prometheus' text format: what this process counts and times; workers/metrics.py has the table.

    For those who ask the pod itself: the ingress leads all the world here, and says for whom it asks.
    """
    if any(name in request.headers for name in _THROUGH_A_PROXY):
        abort(404)
    return Response(measured.exposition(), content_type=CONTENT_TYPE_LATEST)


def _database() -> str:
    try:
        row("SELECT 1")
    except (PeeweeException, ValueError) as error:  # ValueError: no connection left in the pool
        log.warning("not ready", action="readyz", check="database", error=type(error).__name__)
        return "unreachable"
    return OK


_migrated = False


def _migrations() -> str:
    global _migrated  # once applied they stay so, and asking takes a connection of its own
    if _migrated:
        return OK
    try:
        lacking = pending()
    except PeeweeException as error:
        log.warning("not ready", action="readyz", check="migrations", error=type(error).__name__)
        return "unknown"
    _migrated = not lacking
    return OK if _migrated else "pending"


def _redis() -> str:
    return OK if redis_client.is_healthy() else "unreachable"
