"""Every list: `{items, next}`, limits, cursors that only fit their own list."""

from __future__ import annotations

import base64

import pytest

from models.database import execute, rows
from models.site import Site
from tests.integration.api.bodies import faults
from tests.integration.api.conftest import Caller

LISTS = ["companies", "sites", "sync-runs", "items", "jobs", "webhook-log", "tokens"]


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_the_same_frame(admin: Caller, path: str) -> None:
    answer = admin.get(path)

    assert answer.status_code == 200
    assert set(answer.get_json()) == {"items", "next"}
    assert answer.get_json()["next"] is None


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", "", "9" * 30])
def test_a_limit_out_of_bounds_is_named(admin: Caller, path: str, limit: str) -> None:
    assert list(faults(admin.get(path, limit=limit))) == ["limit"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "",
        "é",
        "%00",
        "a" * 2000,
        _cursor("[]"),
        _cursor("{}"),
        _cursor('["other", 1]'),
        _cursor('["jobs", "1"]'),
        _cursor('["jobs", true]'),
        _cursor('["jobs", 1, 2]'),
        _cursor(f'["jobs", {2**70}]'),
        _cursor(f'["items", 1, 1, {2**70}]'),
        _cursor("[" * 5000),
    ],
)
def test_a_cursor_that_is_not_of_this_list_is_named(admin: Caller, path: str, cursor: str) -> None:
    answer = admin.get(path, cursor=cursor)

    assert answer.status_code == 422
    assert list(faults(answer)) == ["cursor"]


def test_a_cursor_of_one_list_does_not_fit_another(admin: Caller, store: Site, shop: Site) -> None:
    following = admin.get("sites", limit=1).get_json()["next"]

    assert list(faults(admin.get("companies", cursor=following))) == ["cursor"]
    assert [one["id"] for one in admin.get("sites", cursor=following).get_json()["items"]] == [shop.id]


def test_pages_do_not_shift_while_rows_come(admin: Caller, store: Site) -> None:
    def add(number: int) -> None:
        execute(
            "INSERT INTO rm_queue (queue, kind) SELECT 'sync', 'x' FROM generate_series(1, %s)", (number,)
        )

    add(5)
    first = admin.get("jobs", limit=3).get_json()
    add(5)
    second = admin.get("jobs", limit=3, cursor=first["next"]).get_json()

    ids = [one["id"] for one in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 5
    assert second["next"] is None


def test_deliveries_are_listed_newest_first_and_filtered(admin: Caller, store: Site, shop: Site) -> None:
    for site, status, event in ((store, "completed", "a"), (store, "failed", "b"), (shop, "failed", "a")):
        execute(
            "INSERT INTO rm_webhook_log (site_id, status, event_type, error_message) VALUES (%s, %s, %s, 'why')",
            (site.id, status, event),
        )
    ids = [number for (number,) in rows("SELECT id FROM rm_webhook_log ORDER BY id DESC")]

    def listed(**filters: object) -> list[int]:
        return [one["id"] for one in admin.get("webhook-log", **filters).get_json()["items"]]

    assert listed() == ids
    assert listed(site=store.id) == ids[1:]
    assert listed(status="failed") == ids[:2]
    assert listed(status="failed", event_type="b") == [ids[1]]
    assert set(admin.get("webhook-log").get_json()["items"][0]) == {
        "id", "site_id", "event_type", "status", "error_message", "received_at", "attempts",
        "verdict", "resource", "product_id", "job_id", "processed_at",
    }  # fmt: skip
