"""/metrics: every role tells of what it does, under the names that the alert rules and the dashboard use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from models.database import execute
from models.site import BIGCOMMERCE
from tests import deliveries
from tests.fleet import ROOT, Fleet, eventually, free_port
from tests.places import bigcommerce_site, company, wait_for_run
from tests.receivers import Gunicorn
from tests.simulators.process import Simulators
from workers.full_sync.requests import request_sync

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(port: int) -> Samples:
    """What a port tells, by name and labels."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a name's samples that have these labels."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in samples.items() if found == name and wanted <= set(has))


@pytest.fixture
def ports(environment: dict[str, str]) -> Iterator[dict[str, int]]:
    """A sync worker and a dispatcher, each with a port for its metrics."""
    found = {role: free_port() for role in ("worker-sync", "dispatcher")}
    with ExitStack() as fleets:
        for role, port in found.items():
            fleets.enter_context(Fleet({**environment, "METRICS_PORT": str(port)}, (role,)))
        for port in found.values():
            eventually(lambda port=port: _answers(port), seconds=60, what="/metrics")  # type: ignore[misc]
        yield found


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_a_sync_is_told_by_the_worker_that_did_it_and_the_ledger_by_the_dispatcher(
    ports: dict[str, int],
) -> None:
    with Simulators.start(bc_items=60, bigcommerce=1, woocommerce=0, bigcommerce_skus=40) as simulators:
        store = simulators.bigcommerce[0]
        store.set_landing(0, 0.1)
        site = bigcommerce_site(company(simulators.bc), store, channel_ids=store.channel_ids)
        run = wait_for_run(request_sync(site.id, requested_by="test").run_id, 60)
        assert run.status == "completed"

        worker = scraped(ports["worker-sync"])

        assert total(worker, "inventory_sync_runs_total", result="completed") == 1
        assert total(worker, "inventory_sync_items_total", outcome="pushed") == run.pushed > 0
        assert total(worker, "inventory_sync_jobs_total", queue="sync", result="completed") >= 5
        assert total(worker, "inventory_sync_job_seconds_count", queue="sync") >= 5
        calls = total(worker, "inventory_sync_vendor_calls_total", vendor="BigCommerce", status="200")
        assert calls == store.total_calls()
        assert total(worker, "inventory_sync_vendor_call_seconds_count", vendor="BigCommerce") == calls

        def ages() -> float:
            return total(
                scraped(ports["dispatcher"]), "inventory_sync_site_sync_age_seconds", site_id=str(site.id)
            )

        eventually(lambda: 0 < ages() < 60, seconds=30, what="the site's age")
        dispatcher = scraped(ports["dispatcher"])
        assert total(dispatcher, "inventory_sync_database_up") == 1
        assert total(dispatcher, "inventory_sync_sites", state="active") == 1


def test_of_hundreds_of_sites_only_those_that_are_oldest_are_told_one_by_one(ports: dict[str, int]) -> None:
    site = deliveries.site(BIGCOMMERCE)
    execute(
        "INSERT INTO rm_sites (name, platform, company_id, store_key, last_synced_at)"
        " SELECT 'site ' || n, 'bigcommerce', %s, 'bigcommerce:' || n, now() - make_interval(mins => n)"
        " FROM generate_series(1, 120) AS n",
        (site.company_id,),
    )

    def ages() -> list[float]:
        return sorted(
            value
            for (name, _), value in scraped(ports["dispatcher"]).items()
            if name == "inventory_sync_site_sync_age_seconds"
        )

    eventually(lambda: len(ages()) == 50, seconds=30, what="fifty sites")
    assert ages()[0] >= 71 * 60


def test_the_receiver_tells_of_verdicts_and_of_its_own_time(environment: dict[str, str]) -> None:
    site = deliveries.site(BIGCOMMERCE)
    with Gunicorn(environment) as receiver:
        body, headers = deliveries.delivery(site, 5)
        assert receiver.post(deliveries.path(site), body, headers)[0] == 200
        assert (
            receiver.post(deliveries.path(site), body, {**headers, "webhook-signature": "v1,AAAA"})[0] == 401
        )

        samples = scraped(receiver.port)

    assert total(samples, "inventory_sync_webhooks_total", platform="bigcommerce", verdict="verified") == 1
    assert total(samples, "inventory_sync_webhooks_total", platform="bigcommerce", verdict="forged") == 1
    assert total(samples, "inventory_sync_webhook_receive_seconds_count", platform="bigcommerce") == 2
    assert ("inventory_sync_database_connections", (("state", "idle"),)) in samples


def test_the_processes_of_one_pod_add_up(tmp_path: object, environment: dict[str, str]) -> None:
    code = "from workers import metrics; metrics.runs.labels('completed').inc(); print(metrics.exposition().decode())"
    shared = {**os.environ, **environment, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=shared, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]

    assert 'inventory_sync_runs_total{result="completed"} 2.0' in said[-1].stdout
