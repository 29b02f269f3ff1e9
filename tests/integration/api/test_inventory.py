"""`inventory/...` under both of its addresses: ask for syncs, and the figures in their exact shape."""

from __future__ import annotations

from typing import Any

import pytest

from models.database import execute, rows
from models.site import Site
from tests.integration.api.bodies import refused
from tests.integration.api.conftest import Caller

PLACES = ["/api/v1", "/wp-json/gsm-middleware/v1"]
JOBS = {"pending": 3, "processing": 1, "completed": 4, "failed": 2}


def _activate(*sites: Site) -> None:
    for site in sites:
        execute("UPDATE rm_sites SET active = true WHERE id = %s", (site.id,))


@pytest.mark.parametrize("place", PLACES)
def test_a_sync_of_one_site_is_accepted_and_the_next_request_joins_it(
    syncer: Caller, store: Site, place: str
) -> None:
    _activate(store)

    first = syncer.post(f"{place}/inventory/sync/{store.id}")
    second = syncer.post(f"{place}/inventory/sync/{store.id}")

    (run,) = rows("SELECT r.id, q.id FROM rm_sync_runs r JOIN rm_queue q ON q.run_id = r.id")
    accepted = {"run_id": run[0], "job_id": run[1], "status": "queued"}
    assert (first.status_code, first.get_json()) == (202, accepted)
    assert (second.status_code, second.get_json()) == (202, {**accepted, "joined": True})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": b"", "content_type": "text/plain"},
        {"data": b"a=b", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"{", "content_type": "application/json"},
        {"data": b"\xff\x00", "content_type": "nonsense"},
        {"json": {"site": 5}},
    ],
)
def test_a_sync_of_all_takes_any_body_or_none(
    syncer: Caller, store: Site, shop: Site, place: str, body: dict[str, Any]
) -> None:
    _activate(store)

    answer = syncer("POST", f"{place}/inventory/sync/all", **body)

    (run_id,) = rows("SELECT id FROM rm_sync_runs")[0]
    assert answer.status_code == 202
    assert answer.get_json() == {"runs": [{"site_id": store.id, "run_id": run_id}]}


def test_a_sync_of_all_without_a_site_starts_nothing(syncer: Caller) -> None:
    assert syncer.post("inventory/sync/all").get_json() == {"runs": []}


@pytest.mark.parametrize("place", PLACES)
def test_an_unknown_site_is_not_found_and_a_paused_one_is_a_conflict(
    syncer: Caller, store: Site, place: str
) -> None:
    assert refused(syncer.post(f"{place}/inventory/sync/999"), 404, "unknown_site")
    assert refused(syncer.post(f"{place}/inventory/sync/nonsense"), 404, "not_found")
    assert refused(syncer.post(f"{place}/inventory/sync/{store.id}"), 409, "site_inactive")
    assert syncer.get(f"{place}/inventory/sync/{store.id}").status_code == 405


@pytest.mark.parametrize("place", PLACES)
def test_the_figures_have_exactly_this_shape(reader: Caller, store: Site, shop: Site, place: str) -> None:
    for status, number in JOBS.items():
        execute(
            "INSERT INTO rm_queue (queue, kind, status) SELECT 'sync', 'x', %s FROM generate_series(1, %s)",
            (status, number),
        )
    for status, end in (
        ("completed", "2026-03-18 02:00"),
        ("completed", "2026-03-19 02:15:23.9"),
        ("failed", "now"),
    ):
        execute(
            "INSERT INTO rm_sync_runs (site_id, status, finished_at) VALUES (%s, %s, %s)",
            (store.id, status, end),
        )

    answer = reader.get(f"{place}/inventory/stats")

    assert answer.get_json() == {
        "queue": {"total": 10, **JOBS},
        "last_syncs": [{"site_id": str(store.id), "last_sync": "2026-03-19 02:15:23"}],
    }


def test_an_empty_system_has_figures_too(reader: Caller) -> None:
    assert reader.get("inventory/stats").get_json() == {
        "queue": {"total": 0, "pending": 0, "processing": 0, "completed": 0, "failed": 0},
        "last_syncs": [],
    }


def test_a_last_sync_is_told_when_its_run_was_cleaned_up(reader: Caller, store: Site) -> None:
    execute("UPDATE rm_sites SET last_synced_at = '2026-03-01 02:03:04' WHERE id = %s", (store.id,))

    assert reader.get("inventory/stats").get_json()["last_syncs"] == [
        {"site_id": str(store.id), "last_sync": "2026-03-01 02:03:04"}
    ]
