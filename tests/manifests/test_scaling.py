"""The number of workers follows the work that another thread could take: the ScaledObjects' SQL on the real tables."""

from __future__ import annotations

import psycopg2
import pytest

from models.database import execute, row
from tests.manifests.cluster import Cluster

QUEUES = {"worker-sync": "sync", "worker-webhooks": "webhooks"}


@pytest.fixture(params=sorted(QUEUES))
def scaled(request: pytest.FixtureRequest, whole: Cluster, database: str) -> tuple[str, str]:
    """A queue, and the query that scales its workers."""
    found = whole.one("ScaledObject", request.param)
    assert found["spec"]["scaleTargetRef"]["name"] == request.param
    (trigger,) = found["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    return QUEUES[request.param], trigger["metadata"]["query"]


def test_nothing_to_do_counts_nothing(scaled: tuple[str, str]) -> None:
    assert count(scaled[1]) == 0


def test_what_is_due_and_what_is_worked_on_counts(scaled: tuple[str, str]) -> None:
    queue, query = scaled
    job(queue)
    job(queue, status="processing")

    assert count(query) == 2


def test_what_is_not_due_what_is_over_and_what_others_do_does_not_count(scaled: tuple[str, str]) -> None:
    queue, query = scaled
    job(queue, due_in=60)
    job(queue, status="completed")
    job(queue, status="failed")
    job("webhooks" if queue == "sync" else "sync")

    assert count(query) == 0


def test_writes_to_one_store_count_once_since_one_worker_does_them(scaled: tuple[str, str]) -> None:
    queue, query = scaled
    for store in ("bigcommerce:a", "bigcommerce:b"):
        job(queue, status="processing", store=store)
        for _ in range(20):
            job(queue, store=store)

    assert count(query) == 2


def test_ended_jobs_make_it_no_slower(scaled: tuple[str, str]) -> None:
    """KEDA asks every few seconds: what is over must not be read."""
    queue, query = scaled
    execute(
        "INSERT INTO rm_queue (queue, kind, status) SELECT %s, 'test', 'completed' FROM generate_series(1, 20000)",
        (queue,),
    )
    job(queue)
    execute("ANALYZE rm_queue")

    plan = row(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")

    assert plan is not None
    assert "Seq Scan" not in str(plan[0]), plan[0]


def test_the_secret_that_keda_reads_is_a_connection_it_understands(database: str, whole: Cluster) -> None:
    """libpq's own form, as the product's."""
    (authentication,) = whole.of("TriggerAuthentication")
    (target,) = authentication["spec"]["secretTargetRef"]

    assert (target["parameter"], target["key"]) == ("connection", "DATABASE_URL")
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def job(queue: str, *, status: str = "pending", store: str | None = None, due_in: int = 0) -> None:
    """Insert one."""
    execute(
        "INSERT INTO rm_queue (queue, kind, status, store_key, available_at)"
        " VALUES (%s, 'test', %s, %s, now() + make_interval(secs => %s))",
        (queue, status, store, due_in),
    )


def count(query: str) -> int:
    """What KEDA would get: one row, one number."""
    found = row(query)
    assert found is not None
    (number,) = found
    return int(number)
