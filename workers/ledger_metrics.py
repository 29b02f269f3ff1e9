"""Figures that stand in PostgreSQL, for the dispatcher: what is due, what is open, how old each sync is.

Every dispatcher tells the same, so queries take the maximum over pods.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from models.alert import OPEN
from models.database import DatabaseUnavailable, rows
from workers.jobs import QUEUES
from workers.metrics import PREFIX

log = structlog.get_logger()

FRESH_SECONDS = 5.0  # a scrape does not ask more often
SITES_SHOWN = 50  # those whose last sync is the oldest
STALE_HOURS = 26  # a night was missed: a day, and two hours for a long sync

_DUE = """
    SELECT queue, count(*), coalesce(extract(epoch FROM now() - min(available_at)), 0)::float8
    FROM rm_queue WHERE status = 'pending' AND available_at <= now() GROUP BY queue
"""
_OPEN = "SELECT status, count(*) FROM rm_queue WHERE status IN ('pending', 'processing') GROUP BY status"
_ALERTS = f"SELECT kind, count(*) FROM rm_alerts WHERE state = '{OPEN}' GROUP BY kind"
_AGES = """
    SELECT id::text, extract(epoch FROM now() - coalesce(last_synced_at, created_at))::float8 AS age
    FROM rm_sites WHERE active ORDER BY age DESC LIMIT %s
"""
_SITES = """
    SELECT count(*) FILTER (WHERE active), count(*) FILTER (WHERE NOT active AND leaving_at IS NULL),
           count(*) FILTER (WHERE active AND coalesce(last_synced_at, created_at) < now() - make_interval(hours => %s))
    FROM rm_sites
"""
_ITEMS = """
    SELECT coalesce(sum(f.agreeing), 0), coalesce(sum(f.drifting), 0), coalesce(sum(f.skipped), 0),
           coalesce(sum(f.failed), 0), coalesce(sum(f.unsettled), 0)
    FROM rm_site_figures f JOIN rm_sites s ON s.id = f.site_id AND s.active
"""
_STATES = ("agreeing", "drifting", "skipped", "failed", "unsettled")


class LedgerCollector(Collector):
    """Asked at each scrape; a database that is away gives one figure: that it is."""

    def __init__(self) -> None:
        self._known: Sequence[Metric] = ()
        self._until = 0.0

    def collect(self) -> Iterable[Metric]:
        """All figures, at most FRESH_SECONDS old."""
        if time.monotonic() >= self._until:
            self._known = self._ask()
            self._until = time.monotonic() + FRESH_SECONDS
        return self._known

    def _ask(self) -> Sequence[Metric]:
        reachable = GaugeMetricFamily(f"{PREFIX}database_up", "1 where PostgreSQL answers.")
        try:
            found = list(_figures())
        except DatabaseUnavailable as error:
            log.warning("no figures", action="metrics", error=type(error).__name__)
            reachable.add_metric([], 0)
            return [reachable]
        reachable.add_metric([], 1)
        return [reachable, *found]


def _figures() -> Iterable[Metric]:
    due = {queue: (number, oldest) for queue, number, oldest in rows(_DUE)}
    waiting = _family("due_jobs", "Jobs that are due and wait.", "queue")
    oldest = _family("oldest_due_job_seconds", "For how long the oldest due job has waited.", "queue")
    for queue in QUEUES:
        waiting.add_metric([queue], due.get(queue, (0, 0))[0])
        oldest.add_metric([queue], due.get(queue, (0, 0))[1])
    open_jobs = _family("open_jobs", "Jobs that are not over.", "status")
    statuses = dict(rows(_OPEN))
    for status in ("pending", "processing"):
        open_jobs.add_metric([status], statuses.get(status, 0))
    alerts = _family("open_alerts", "Open alerts.", "kind")
    for kind, number in rows(_ALERTS):
        alerts.add_metric([kind], number)
    ages = _family(
        "site_sync_age_seconds",
        f"Since the end of a site's last completed sync; the {SITES_SHOWN} sites where it is longest ago.",
        "site_id",
    )
    for site_id, age in rows(_AGES, (SITES_SHOWN,)):
        ages.add_metric([site_id], age)
    sites = _family("sites", f"Sites; stale: active, and not synced for {STALE_HOURS} hours.", "state")
    for state, number in zip(("active", "inactive", "stale"), rows(_SITES, (STALE_HOURS,))[0], strict=True):
        sites.add_metric([state], number)
    standing = _family("standing_items", "Items of active sites by how they stand.", "state")
    for state, number in zip(_STATES, rows(_ITEMS)[0], strict=True):
        standing.add_metric([state], float(number))
    return [waiting, oldest, open_jobs, alerts, ages, sites, standing]


def _family(name: str, text: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=[label])
