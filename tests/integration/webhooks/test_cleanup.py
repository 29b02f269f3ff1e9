"""The daily clean-up: what is older than its retention goes, in batches that an index finds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from models import setting
from models.database import execute, row, rows
from models.setting import SettingError
from workers import maintenance
from workers.jobs import Claim, Work

MANY = 100_000
_CLAIM = Claim(
    1, uuid.uuid4(), "maintenance.cleanup", "sync", 50, {}, None, None, None, None, None, None, 1, 8, None
)


def clean_up() -> dict[str, int]:
    result = maintenance.clean_up(Work(_CLAIM)).result
    assert result is not None
    return dict(result)


@pytest.fixture
def site(database: str) -> int:
    execute(
        "INSERT INTO rm_companies (id, name, tenant_id, environment, company_id, client_id, api_url, token_url)"
        " VALUES (1, 'C', '', '', '', '', '', '')"
    )
    execute(
        "INSERT INTO rm_sites (id, name, platform, company_id, store_key) VALUES (1, 'S', 'woocommerce', 1, 'k')"
    )
    return 1


def _deliveries(site: int, *ages: float) -> None:
    for age in ages:
        execute(
            "INSERT INTO rm_webhook_log (site_id, received_at) VALUES (%s, now() - make_interval(secs => %s))",
            (site, age * 86400),
        )


def test_deliveries_older_than_the_setting_go_and_the_rest_stays(site: int) -> None:
    _deliveries(site, 100, 90.01, 89.99, 1)
    assert clean_up()["webhook_log"] == 2

    setting.change("webhook_log_retention_days", 7)

    assert clean_up()["webhook_log"] == 1
    assert row("SELECT count(*) FROM rm_webhook_log") == (1,)


def test_a_retention_outside_1_to_365_days_is_refused(database: str) -> None:
    for days in (0, 366, -1, 1.5, "30", True, None):
        for key in ("webhook_log_retention_days", "queue_retention_days"):
            with pytest.raises(SettingError, match="from 1 to 365"):
                setting.change(key, days)
    assert setting.read("webhook_log_retention_days") == 90


def test_both_ends_of_the_retention_are_taken(database: str) -> None:
    for days in (1, 365):
        setting.change("webhook_log_retention_days", days)
        assert setting.read("webhook_log_retention_days") == days


def test_counts_of_rejected_deliveries_go_with_the_deliveries(site: int) -> None:
    for age in (91, 1):
        execute(
            "INSERT INTO rm_webhook_rejections VALUES (%s, date_trunc('hour', now()) - make_interval(days => %s), 5)",
            (site, age),
        )

    assert clean_up()["webhook_rejections"] == 1
    assert row("SELECT count(*) FROM rm_webhook_rejections") == (1,)


def test_finished_jobs_have_a_retention_of_their_own_and_open_ones_stay(site: int) -> None:
    for status, age in (
        ("completed", 15),
        ("failed", 15),
        ("completed", 13),
        ("pending", 400),
        ("processing", 400),
    ):
        execute(
            "INSERT INTO rm_queue (queue, kind, status, created_at, finished_at) VALUES ('webhooks', 'k', %s,"
            " now() - make_interval(days => %s), CASE WHEN %s THEN now() - make_interval(days => %s) END)",
            (status, age, status in ("completed", "failed"), age),
        )
    _deliveries(site, 15)

    assert clean_up()["jobs"] == 2
    assert row("SELECT count(*) FROM rm_webhook_log") == (1,)
    assert rows("SELECT status FROM rm_queue ORDER BY id") == [("completed",), ("pending",), ("processing",)]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def test_batches_of_large_tables_are_found_by_an_index(site: int) -> None:
    execute(
        "INSERT INTO rm_webhook_log (site_id, received_at, event_type, body) SELECT 1,"
        " now() - n * interval '3 minutes', 'product.updated', repeat('x', 200) FROM generate_series(1, %s) n",
        (MANY,),
    )
    execute(
        "INSERT INTO rm_queue (queue, kind, status, finished_at) SELECT 'webhooks', 'k', 'completed',"
        " now() - n * interval '1 minute' FROM generate_series(1, %s) n",
        (MANY,),
    )
    execute(
        "INSERT INTO rm_webhook_rejections SELECT 1, date_trunc('hour', now()) - n * interval '1 hour', 1"
        " FROM generate_series(1, %s) n",
        (MANY,),
    )
    execute("ANALYZE rm_webhook_log, rm_queue, rm_webhook_rejections")

    for statement, days in (
        (maintenance._WEBHOOKS, 90),
        (maintenance._JOBS, 14),
        (maintenance._REJECTIONS, 90),
    ):
        found = row("EXPLAIN (FORMAT JSON) " + statement, (days, maintenance.BATCH_ROWS))
        assert found is not None
        kinds = {node["Node Type"] for node in _nodes(found[0][0]["Plan"])}
        assert "Seq Scan" not in kinds, (statement, kinds)

    deleted = clean_up()

    assert deleted["webhook_log"] == MANY - 90 * 24 * 20 + 1
    assert deleted["jobs"] == MANY - 14 * 24 * 60 + 1
    assert row("SELECT count(*) FROM rm_webhook_rejections WHERE hour < now() - interval '90 days'") == (0,)
    assert row("SELECT count(*) >= 90 * 24 - 1 FROM rm_webhook_rejections") == (True,)
