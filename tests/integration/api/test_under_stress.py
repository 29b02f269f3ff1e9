"""What holds while a part is away, a vendor is slow, a site is large, or many ask at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from models import config
from models.database import db, execute, rows
from models.site import Site
from tests.integration.api.conftest import Caller
from workers import connection_test
from workers.clients.shop import CheckResult


def test_without_redis_a_sync_is_accepted_at_once_and_its_job_waits(
    syncer: Caller, store: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute("UPDATE rm_sites SET active = true")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    config.settings.cache_clear()

    began = time.monotonic()
    answer = syncer.post(f"inventory/sync/{store.id}")

    assert answer.status_code == 202
    assert time.monotonic() - began < 2
    job = rows("SELECT status FROM rm_queue WHERE id = %s", (answer.get_json()["job_id"],))
    assert job == [("pending",)]


def test_no_connection_is_held_while_a_vendor_is_asked(
    admin: Caller, store: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    class Slow:
        def check(self) -> list[CheckResult]:
            held.append(not db.is_closed())
            return [CheckResult("token", True, "fine")]

        def close(self) -> None:
            pass

    monkeypatch.setattr(connection_test.connections, "business_central", lambda company: Slow())
    monkeypatch.setattr(connection_test.connections, "shop_client", lambda site: Slow())

    assert admin.post(f"sites/{store.id}/test").get_json()["verdict"] == "All 2 checks passed."
    assert held == [False, False]


def test_changes_and_requests_at_once_neither_fail_nor_wait_for_each_other(
    app: Flask, admin: Caller, store: Site, shop: Site
) -> None:
    headers = {"Authorization": f"Bearer {admin.token}"}

    def ask(number: int) -> int:
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("PATCH", f"sites/{store.id}", {"json": {"active": number % 8 < 4, "safety_stock": number}}),
            ("PATCH", f"companies/{store.company_id}", {"json": {"client_secret": "s" * (number + 1)}}),
            ("POST", "inventory/sync/all", {}),
            ("PATCH", f"sites/{shop.id}", {"json": {"active": True}}),
        ]
        method, path, options = calls[number % 4]
        with app.test_client() as client:
            return client.open(f"/api/v1/{path}", method=method, headers=headers, **options).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(48))) == {200, 202}

    assert max(count for (count,) in rows("SELECT count(*) FROM rm_sync_runs GROUP BY site_id")) == 1
