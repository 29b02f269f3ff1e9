"""Sync runs, their items, and jobs over REST."""

from __future__ import annotations

import pytest

from models.database import execute, row, rows
from models.site import Site
from tests.integration.api.bodies import faults, refused
from tests.integration.api.conftest import Caller
from workers.full_sync.requests import request_sync

FIGURES = {"pushed", "unchanged", "skipped", "failed", "calls", "pages_done", "pages_total", "items_done",
           "items_total", "to_push", "deactivated", "fewest_calls"}  # fmt: skip


@pytest.fixture
def run_id(store: Site) -> int:
    """A run that waits."""
    execute("UPDATE rm_sites SET active = true WHERE id = %s", (store.id,))
    return request_sync(store.id, requested_by="test", request_id="asked").run_id


def _run(site: Site, status: str = "completed") -> int:
    made = row(
        "INSERT INTO rm_sync_runs (site_id, status, skipped, failed, finished_at)"
        """ VALUES (%s, %s, '{"unknown": 2}', '{"invalid_id": 1}', now()) RETURNING id""",
        (site.id, status),
    )
    assert made is not None
    return int(made[0])


def _item(site: Site, product_id: int, skip_reason: str | None = None) -> int:
    made = row(
        "INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, tracking, observed_at, skip_reason)"
        " VALUES (%s, %s, 'a', 'A', 'A', 'product', now(), %s) RETURNING id",
        (site.id, product_id, skip_reason),
    )
    assert made is not None
    return int(made[0])


def _push(run: int, item: int, outcome: str, reason: str | None = None) -> None:
    job = row("INSERT INTO rm_queue (queue, kind, run_id) VALUES ('sync', 'x', %s) RETURNING id", (run,))
    assert job is not None
    execute(
        "INSERT INTO rm_pushes (job_id, item_id, run_id, wanted, outcome, reason) VALUES (%s, %s, %s, 5, %s, %s)",
        (job[0], item, run, outcome, reason),
    )


def test_a_run_tells_its_figures(reader: Caller, store: Site, run_id: int) -> None:
    shown = reader.get(f"sync-runs/{run_id}").get_json()

    assert shown.keys() >= FIGURES
    assert {
        name: shown[name] for name in ("id", "site_id", "status", "step", "requested_by", "request_id")
    } == {
        "id": run_id,
        "site_id": store.id,
        "status": "queued",
        "step": "start",
        "requested_by": "test",
        "request_id": "asked",
    }
    assert shown["created_at"].endswith("Z")
    assert (shown["started_at"], shown["finished_at"], shown["error"]) == (None, None, None)
    assert refused(reader.get("sync-runs/999"), 404, "unknown_run")


def test_skipped_and_failed_count_by_reason(reader: Caller, store: Site) -> None:
    shown = reader.get(f"sync-runs/{_run(store)}").get_json()

    assert (shown["skipped"], shown["failed"]) == ({"unknown": 2}, {"invalid_id": 1})


def test_runs_are_listed_newest_first_and_filtered(reader: Caller, store: Site, shop: Site) -> None:
    first, second, third = _run(store), _run(shop, "failed"), _run(store, "cancelled")

    def listed(**filters: object) -> list[int]:
        return [one["id"] for one in reader.get("sync-runs", **filters).get_json()["items"]]

    assert listed() == [third, second, first]
    assert listed(site=store.id) == listed(site_id=store.id) == [third, first]
    assert listed(status="failed") == [second]
    assert listed(site=999) == []
    assert list(faults(reader.get("sync-runs", status="nonsense"))) == ["status"]


def test_a_run_is_cancelled_once(syncer: Caller, run_id: int) -> None:
    cancelled = syncer.post(f"sync-runs/{run_id}/cancel")

    assert cancelled.status_code == 200
    assert cancelled.get_json()["status"] == "cancelled"
    assert refused(syncer.post(f"sync-runs/{run_id}/cancel"), 409, "run_not_open")
    assert refused(syncer.post("sync-runs/999/cancel"), 404, "unknown_run")


def test_a_run_that_is_not_held_is_not_released(syncer: Caller, run_id: int) -> None:
    assert refused(syncer.post(f"sync-runs/{run_id}/release"), 409, "not_held")
    assert refused(syncer.post("sync-runs/999/release"), 404, "unknown_run")


def test_the_items_of_a_run_are_those_pushed_then_those_skipped(
    reader: Caller, store: Site, shop: Site
) -> None:
    run = _run(store)
    pushed, failed = _item(store, 1), _item(store, 2)
    _push(run, pushed, "pushed")
    _push(run, failed, "failed", "invalid_id")
    skipped = [_item(store, 3, "unknown"), _item(store, 4, "untracked"), _item(store, 5, "unknown")]
    _item(shop, 6, "unknown")
    _push(_run(store), pushed, "unchanged")
    in_order = [pushed, failed, skipped[0], skipped[2], skipped[1]]

    def listed(**filters: object) -> list[int]:
        return [one["item_id"] for one in reader.get(f"sync-runs/{run}/items", **filters).get_json()["items"]]

    assert listed() == in_order
    assert listed(outcome="failed") == listed(reason="invalid_id") == [failed]
    assert listed(outcome="skipped") == skipped[0:1] + skipped[2:3] + skipped[1:2]
    assert listed(outcome="skipped", reason="untracked") == skipped[1:2]

    for size in (1, 2, 3):
        seen: list[int] = []
        cursor: str | None = None
        while True:
            page = reader.get(f"sync-runs/{run}/items", limit=size, **({"cursor": cursor} if cursor else {}))
            seen += [one["item_id"] for one in page.get_json()["items"]]
            cursor = page.get_json()["next"]
            if cursor is None:
                break
        assert seen == in_order

    assert refused(reader.get("sync-runs/999/items"), 404, "unknown_run")


def test_an_item_of_a_run_says_what_was_written_and_why_not(reader: Caller, store: Site) -> None:
    run = _run(store)
    _push(run, _item(store, 7), "failed", "invalid_id")

    (shown,) = reader.get(f"sync-runs/{run}/items").get_json()["items"]

    assert {name: shown[name] for name in ("product_id", "sku", "outcome", "reason", "wanted")} == {
        "product_id": 7,
        "sku": "a",
        "outcome": "failed",
        "reason": "invalid_id",
        "wanted": 5,
    }


def test_jobs_are_listed_newest_first_and_filtered(reader: Caller, store: Site, run_id: int) -> None:
    ids = sorted((job for (job,) in rows("SELECT id FROM rm_queue")), reverse=True)
    of_site = sorted(job for (job,) in rows("SELECT id FROM rm_queue WHERE site_id = %s", (store.id,)))

    def listed(**filters: object) -> list[int]:
        return [one["id"] for one in reader.get("jobs", **filters).get_json()["items"]]

    assert listed() == listed(status="pending") == ids
    assert listed(site=store.id) == listed(run=run_id) == listed(run_id=run_id) == of_site
    assert listed(kind="sync.start", queue="sync") == of_site
    assert listed(status="failed") == listed(queue="webhooks") == []


def test_a_job_is_cancelled_and_tried_again(syncer: Caller, store: Site) -> None:
    execute("INSERT INTO rm_queue (queue, kind, site_id) VALUES ('sync', 'x', %s)", (store.id,))
    (job_id,) = rows("SELECT id FROM rm_queue")[0]

    cancelled = syncer.post(f"jobs/{job_id}/cancel").get_json()
    assert (cancelled["status"], cancelled["error"]) == ("failed", "cancelled")
    assert refused(syncer.post(f"jobs/{job_id}/cancel"), 409, "job_over")

    assert syncer.post(f"jobs/{job_id}/retry").get_json()["status"] == "pending"
    assert refused(syncer.post(f"jobs/{job_id}/retry"), 409, "not_retryable")


def test_a_job_that_there_is_not_is_not_found(syncer: Caller) -> None:
    assert refused(syncer.get("jobs/999"), 404, "unknown_job")
    assert refused(syncer.post("jobs/999/retry"), 404, "unknown_job")
    assert refused(syncer.post("jobs/999/cancel"), 404, "unknown_job")
