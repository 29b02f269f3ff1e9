"""What every process counts and times, in one table; k8s/components/monitoring uses just these names.

No site, SKU or address is a label, since each new one costs the collector for ever; `route`, `kind` and `verdict` are
words of our own code. With PROMETHEUS_MULTIPROC_DIR set, the processes of one pod add up; without it, each tells of
itself.
"""

from __future__ import annotations

import os
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from models.config import settings
from models.database import db

log = structlog.get_logger()

PREFIX = "inventory_sync_"
SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
LONG = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)  # seconds

jobs = Counter(
    f"{PREFIX}jobs_total",
    "Jobs that ended, by result: completed, failed, retried (it failed, and is tried again), waited (no attempt).",
    ["queue", "kind", "result"],
)
job_seconds = Histogram(
    f"{PREFIX}job_seconds", "How long a job was worked on.", ["queue", "kind"], buckets=LONG
)
vendor_calls = Counter(
    f"{PREFIX}vendor_calls_total",
    "Calls to a vendor, by route and status; `none`: no answer came.",
    ["vendor", "route", "status"],
)
vendor_call_seconds = Histogram(
    f"{PREFIX}vendor_call_seconds", "How long a call to a vendor took.", ["vendor", "route"], buckets=LONG
)
limit_waits = Counter(
    f"{PREFIX}limit_waits_total", "Calls that had to wait for a vendor's rate limit.", ["vendor", "why"]
)
limit_wait_seconds = Counter(
    f"{PREFIX}limit_wait_seconds_total", "Seconds for which such calls were told to wait.", ["vendor"]
)
limits_failed_open = Counter(
    f"{PREFIX}limits_failed_open_total", "Calls to vendors made past Redis because it was away.", ["vendor"]
)
webhooks = Counter(f"{PREFIX}webhooks_total", "Deliveries, by verdict.", ["platform", "verdict"])
webhook_receive_seconds = Histogram(
    f"{PREFIX}webhook_receive_seconds",
    "From a delivery's arrival to its answer.",
    ["platform"],
    buckets=SHORT,
)
webhook_effect_seconds = Histogram(
    f"{PREFIX}webhook_effect_seconds",
    "From a delivery's arrival until what it told of was read and acted on.",
    ["platform"],
    buckets=LONG,
)
runs = Counter(f"{PREFIX}runs_total", "Sync runs that ended, by result.", ["result"])
items = Counter(
    f"{PREFIX}items_total",
    "Items of ended runs, by outcome: pushed, unchanged, skipped, failed.",
    ["outcome"],
)
database_connections = Gauge(
    f"{PREFIX}database_connections",
    "Connections of this process's pool.",
    ["state"],
)
database_connections.labels("in_use").set_function(lambda: len(db._in_use))
database_connections.labels("idle").set_function(lambda: len(db._connections))


def exposition() -> bytes:
    """Everything in Prometheus' text format."""
    return generate_latest(_registry())


def collect_also(collector: Collector) -> None:
    """Add figures that are asked for at each scrape."""
    REGISTRY.register(collector)


def serve() -> WSGIServer | None:
    """Answer /metrics on METRICS_PORT, for roles without a web server; None where it is not set.

    Of several processes of a pod the first one answers: with PROMETHEUS_MULTIPROC_DIR for all of them.
    """
    port = settings().metrics_port
    if port is None:
        return None
    try:
        server, _ = start_http_server(port, registry=_registry())
    except OSError as error:
        log.warning("metrics are not served", action="metrics", port=port, error=str(error))
        return None
    return server


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)
    return shared
