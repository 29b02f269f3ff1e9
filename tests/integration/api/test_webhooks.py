"""Webhooks over REST: registered and looked at, the log read, deliveries done again, secrets rotated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import setting
from models.database import execute, row, rows
from models.site import Site
from tests.integration.api.bodies import SECRETS, faults, refused
from tests.integration.api.conftest import Caller

SOON = timedelta(seconds=5)  # between PostgreSQL's clock and the test's look at its own


def _delivery(site: Site, **fields: Any) -> int:
    values = {
        "status": "failed",
        "event_type": "product.updated",
        "product_id": 7,
        "site_id": site.id,
    } | fields
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    made = row(f"INSERT INTO rm_webhook_log ({names}) VALUES ({marks}) RETURNING id", tuple(values.values()))
    assert made is not None
    return int(made[0])


def _in(**length: float) -> str:
    return (datetime.now(UTC) + timedelta(**length)).isoformat()


def _until(site: Site) -> datetime | None:
    found = row("SELECT webhook_secret_previous_until FROM rm_sites WHERE id = %s", (site.id,))
    assert found is not None
    return found[0]


def _secrets(site: Site) -> list[bool]:
    return [
        value is not None
        for value in rows(
            "SELECT webhook_secret, webhook_secret_previous FROM rm_sites WHERE id = %s", (site.id,)
        )[0]
    ]


# Registering


def test_without_a_public_address_registering_names_the_setting(admin: Caller, shop: Site) -> None:
    for method in ("GET", "POST"):
        answer = admin(method, f"sites/{shop.id}/webhooks")

        assert refused(answer, 422, "invalid_fields")
        assert list(faults(answer)) == ["public_webhook_url"]
        assert "/api/v1/settings" in faults(answer)["public_webhook_url"]


def test_a_bigcommerce_site_without_the_app_s_secret_is_told_the_field(admin: Caller, store: Site) -> None:
    setting.change("public_webhook_url", "https://hooks.example.com")

    answer = admin.post(f"sites/{store.id}/webhooks")

    assert list(faults(answer)) == ["webhook_secret"]


def test_a_port_that_bigcommerce_never_calls_is_told(admin: Caller, store: Site) -> None:
    admin.patch(f"sites/{store.id}", {"webhook_secret": "the app's"})
    admin.patch("settings", {"public_webhook_url": "https://hooks.example.com:8443"})

    answer = admin.post(f"sites/{store.id}/webhooks")

    assert "443" in faults(answer)["public_webhook_url"]


def test_a_shop_that_can_t_be_reached_is_a_502(admin: Caller, shop: Site) -> None:
    setting.change("public_webhook_url", "https://hooks.example.com")
    execute("UPDATE rm_sites SET url = 'http://127.0.0.1:9' WHERE id = %s", (shop.id,))

    assert refused(admin.get(f"sites/{shop.id}/webhooks"), 502, "remote_failed")


PRIVATE = ("http://127.0.0.1:8001", "http://localhost", "http://receiver:8001/at/a/path")
USELESS = (
    "https://", "https://u:p@example.com", "https://example.com/?a=1", "https://example.com#x", "https://a b.example",
    "https://example.com:99999", "http://93.184.215.14", "ftp://example.com", "example.com", 5, ["https://a.example"],
)  # fmt: skip


def test_a_private_http_address_is_taken_only_where_private_ones_are_allowed(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in PRIVATE:
        assert admin.patch("settings", {"public_webhook_url": address}).status_code == 200

    monkeypatch.setenv("ALLOW_PRIVATE_ADDRESSES", "false")
    setting.settings.cache_clear()

    for address in PRIVATE:
        assert refused(admin.patch("settings", {"public_webhook_url": address}), 422, "invalid_fields")


def test_an_address_that_shops_could_not_call_is_refused(admin: Caller) -> None:
    for address in USELESS:
        answer = admin.patch("settings", {"public_webhook_url": address})

        assert list(faults(answer)) == ["public_webhook_url"], address


def test_each_door_needs_its_scope(admin: Caller, syncer: Caller, reader: Caller, shop: Site) -> None:
    since = {"since": "2026-03-19T02:15:23Z"}
    one = _delivery(shop)
    for path, body, needed in (
        (f"sites/{shop.id}/webhooks", None, "admin"),
        (f"sites/{shop.id}/webhooks/test", None, "admin"),
        (f"sites/{shop.id}/webhooks/replay", since, "sync"),
        (f"webhook-log/{one}/replay", None, "sync"),
    ):
        assert reader.post(path, body).status_code == 403
        assert (syncer.post(path, body).status_code == 403) is (needed == "admin")
    assert reader.get(f"sites/{shop.id}/webhooks").status_code == 422  # it may, but no address is set
    assert admin.post("sites/4711/webhooks").status_code == 404


def test_a_trial_tells_how_far_it_got(admin: Caller, shop: Site) -> None:
    setting.change("public_webhook_url", "http://127.0.0.1:9")

    answer = admin.post(f"sites/{shop.id}/webhooks/test")

    assert answer.status_code == 200
    assert [(step["name"], step["ok"]) for step in answer.get_json()["steps"]] == [
        ("sent", True),
        ("answered", False),
    ]
    assert answer.get_json()["steps"][1]["field"] == "public_webhook_url"


# The log


def test_the_log_is_filtered_by_product_and_time(reader: Caller, store: Site, shop: Site) -> None:
    old = _delivery(shop, received_at=datetime(2026, 3, 1, tzinfo=UTC))
    new = _delivery(shop, received_at=datetime(2026, 3, 19, 2, 15, 23, tzinfo=UTC))
    other = _delivery(store, product_id=8)

    def listed(**filters: object) -> list[int]:
        return [one["id"] for one in reader.get("webhook-log", **filters).get_json()["items"]]

    assert listed(product_id=7) == [new, old]
    assert listed(product_id=7, since="2026-03-19T02:15:23Z") == [new]
    assert listed(since="2026-03-19T03:15:23+01:00", site=shop.id) == [new]
    assert other in listed()
    for wrong in ("yesterday", "2026-03-19", "2026-03-19T02:15:23", "1773886523"):
        assert list(faults(reader.get("webhook-log", since=wrong))) == ["since"]


def test_one_delivery_is_shown_whole(reader: Caller, shop: Site) -> None:
    attempt = {"at": "2026-03-19T02:15:23.000Z", "outcome": "failed", "error": "down", "job_id": 9}
    one = _delivery(shop, headers='{"X-Wc-Webhook-Signature": "***"}', body="{}", body_bytes=2, verdict="verified",
                    history=f"[{str(attempt).replace(chr(39), chr(34))}]", attempts=1)  # fmt: skip

    shown = reader.get(f"webhook-log/{one}").get_json()

    assert shown["headers"] == {"X-Wc-Webhook-Signature": "***"}
    assert shown["history"] == [attempt]
    assert (shown["body"], shown["body_bytes"], shown["verdict"], shown["site_id"]) == (
        "{}",
        2,
        "verified",
        shop.id,
    )
    assert reader.get("webhook-log/987654").status_code == 404


def test_one_delivery_is_done_again_by_a_job(syncer: Caller, shop: Site) -> None:
    one = _delivery(shop)

    answer = syncer.post(f"webhook-log/{one}/replay")

    assert answer.status_code == 202
    assert rows("SELECT id, kind, payload FROM rm_queue") == [
        (answer.get_json()["job_id"], "webhook.product", {"product": 7})
    ]
    assert syncer.get(f"webhook-log/{one}").get_json()["status"] == "received"
    assert refused(
        syncer.post(f"webhook-log/{_delivery(shop, product_id=None)}/replay"), 409, "not_replayable"
    )
    assert syncer.post("webhook-log/987654/replay").status_code == 404


def test_all_failed_deliveries_of_a_site_are_done_again(syncer: Caller, store: Site, shop: Site) -> None:
    _delivery(shop, received_at=datetime(2026, 3, 1, tzinfo=UTC))
    _delivery(shop)
    _delivery(shop, product_id=8)
    _delivery(shop, status="completed")
    _delivery(store)

    answer = syncer.post(f"sites/{shop.id}/webhooks/replay", {"since": "2026-03-19T02:15:23Z"})

    assert (answer.status_code, answer.get_json()) == (202, {"replayed": 2})
    assert rows("SELECT count(*) FROM rm_queue WHERE site_id = %s", (shop.id,)) == [(2,)]
    for wrong in ({}, {"since": None}, {"since": 5}, {"since": "2h"}):
        assert list(faults(syncer.post(f"sites/{shop.id}/webhooks/replay", wrong))) == ["since"]


# Two secrets at once


def test_a_new_secret_keeps_the_old_one_for_a_day(admin: Caller, shop: Site) -> None:
    shown = admin.patch(f"sites/{shop.id}", {"webhook_secret": SECRETS["webhook_secret"]}).get_json()

    until = _until(shop)
    assert until is not None
    assert timedelta(0) <= datetime.now(UTC) + timedelta(hours=24) - until + SOON <= 3 * SOON
    assert shown["webhook_secret_previous_until"].startswith(until.isoformat()[:19])
    assert SECRETS["webhook_secret"] not in str(shown)
    assert _secrets(shop) == [True, True]


def test_the_end_of_the_old_secret_may_be_given_moved_and_taken_away(admin: Caller, shop: Site) -> None:
    path = f"sites/{shop.id}"
    admin.patch(path, {"webhook_secret": "another", "webhook_secret_previous_until": _in(hours=1)})
    first = _until(shop)
    assert first is not None
    assert first < datetime.now(UTC) + timedelta(hours=2)

    admin.patch(path, {"webhook_secret_previous_until": _in(days=6)})
    moved = _until(shop)
    assert moved is not None
    assert moved > first

    admin.patch(path, {"webhook_secret_previous_until": None})
    assert (_until(shop), _secrets(shop)) == (None, [True, False])


def test_null_beside_a_new_secret_ends_the_old_one_at_once(admin: Caller, shop: Site) -> None:
    admin.patch(f"sites/{shop.id}", {"webhook_secret": "another", "webhook_secret_previous_until": None})

    assert (_until(shop), _secrets(shop)) == (None, [True, False])


def test_the_same_secret_again_is_no_rotation_and_a_cleared_one_takes_all_with_it(
    admin: Caller, shop: Site
) -> None:
    path = f"sites/{shop.id}"
    admin.patch(path, {"webhook_secret": "another"})
    before = _until(shop)

    admin.patch(path, {"webhook_secret": "another"})
    assert _until(shop) == before

    admin.patch(path, {"webhook_secret": None})
    assert (_until(shop), _secrets(shop)) == (None, [False, False])


def test_an_end_in_the_past_or_over_a_week_ahead_is_refused(admin: Caller, shop: Site) -> None:
    for until in (_in(days=8), _in(minutes=-1), "tomorrow", 5):
        change = {"webhook_secret": "another", "webhook_secret_previous_until": until}

        answer = admin.patch(f"sites/{shop.id}", change)

        assert list(faults(answer)) == ["webhook_secret_previous_until"]
        assert _secrets(shop) == [True, False]


def test_an_end_without_an_old_secret_is_refused(admin: Caller, shop: Site) -> None:
    answer = admin.patch(f"sites/{shop.id}", {"webhook_secret_previous_until": _in(hours=1)})

    assert list(faults(answer)) == ["webhook_secret_previous_until"]


def test_an_old_secret_that_no_key_can_read_is_replaced_and_not_kept(admin: Caller, shop: Site) -> None:
    execute("UPDATE rm_sites SET webhook_secret = 'written under a lost key' WHERE id = %s", (shop.id,))

    assert admin.patch(f"sites/{shop.id}", {"webhook_secret": "another"}).status_code == 200

    assert (_until(shop), _secrets(shop)) == (None, [True, False])
