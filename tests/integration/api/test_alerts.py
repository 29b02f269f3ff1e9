"""Alerts over REST: what is wrong, a test of the channels, and settings that are never shown again."""

from __future__ import annotations

from typing import Any

import pytest

from models import config
from models.database import execute, rows
from models.site import Site
from tests.integration.alerts.receivers import URL_SECRET, WebhookReceiver, nowhere
from tests.integration.alerts.watching import look, run
from tests.integration.api.bodies import faults, refused
from tests.integration.api.conftest import Caller

MAIL = "smtp://alerts:hushhush-hush@127.0.0.1:2525"


def test_alerts_are_listed_newest_first_by_state_and_in_pages(
    reader: Caller, shop: Site, store: Site
) -> None:
    execute("UPDATE rm_sites SET active = true")
    for site in (shop, store):
        run(site.id, "failed", "down")
    look()
    run(shop.id, "completed")
    look()

    whole = reader.get("alerts").get_json()["items"]
    assert [(one["kind"], one["site_id"], one["state"], one["change"]) for one in whole] == [
        ("run_failed", store.id, "open", 1),
        ("run_failed", shop.id, "resolved", 2),
    ]
    assert whole[1]["sentence"] == "The sync of Shop failed: down"
    assert whole[1]["resolved_at"] >= whole[1]["opened_at"]
    assert whole[0]["details"]["run_id"] == 2
    assert reader.get("alerts", state="open").get_json()["items"] == whole[:1]
    assert reader.get("alerts", site=shop.id).get_json()["items"] == whole[1:]
    first = reader.get("alerts", limit=1).get_json()
    second = reader.get("alerts", limit=1, cursor=first["next"]).get_json()
    assert (first["items"] + second["items"], second["next"]) == (whole, None)
    assert list(faults(reader.get("alerts", state="closed"))) == ["state"]


def test_a_test_says_what_every_channel_made_of_it(admin: Caller, reader: Caller) -> None:
    assert refused(reader.post("alerts/test"), 403, "scope_missing")
    assert refused(admin.post("alerts/test"), 409, "no_channel")
    with WebhookReceiver() as receiver:
        admin.patch("settings", {"alert_webhook_url": receiver.url})
        assert admin.post("alerts/test").get_json() == {
            "ok": True,
            "channels": [{"channel": "webhook", "ok": True, "message": "answered 200"}],
        }
        assert receiver.bodies[0]["state"] == "test"
        receiver.will_answer(404, said=b"no_service")
        answer = admin.post("alerts/test").get_json()
    assert answer["ok"] is False
    assert answer["channels"][0]["message"] == "the alert webhook POST alert: 404 Not Found (no_service)"


def test_the_channels_secrets_are_kept_encrypted_and_never_shown(admin: Caller, reader: Caller) -> None:
    given = {"alert_webhook_url": nowhere(), "smtp_url": MAIL, "alert_email_to": "stock@example.com"}

    answers = [admin.patch("settings", given), reader.get("settings"), admin.post("alerts/test")]

    shown = answers[1].get_json()
    assert (shown["alert_webhook_url_set"], shown["smtp_url_set"]) == (True, True)
    assert shown["alert_email_to"] == "stock@example.com"
    assert [one["ok"] for one in answers[2].get_json()["channels"]] == [False, False]
    told = "".join(answer.get_data(as_text=True) for answer in answers) + str(
        rows("SELECT * FROM rm_settings")
    )
    for secret in (*URL_SECRET.split("/"), "hushhush-hush"):
        assert secret not in told
    cleared = admin.patch("settings", {"alert_webhook_url": None, "smtp_url": None}).get_json()
    assert (cleared["alert_webhook_url_set"], cleared["smtp_url_set"]) == (False, False)


WRONG: list[tuple[str, Any, str]] = [
    ("alert_webhook_url", "http://example.com/hook", "must begin with https://"),
    ("alert_webhook_url", "https://user:pass@example.com/", "without user name"),
    ("alert_webhook_url", "https://169.254.169.254/", "link-local"),
    ("alert_webhook_url", 5, "must be an address"),
    ("smtp_url", "https://smtp.example.com", "must begin with smtp://"),
    ("smtp_url", "smtp://:2587", "has no host"),
    ("smtp_url", "smtp://user@smtp.example.com", "both user and password"),
    ("smtp_url", "smtp://user:p/w@smtp.example.com", "write"),
    ("smtp_url", "smtp://smtp.example.com?starttls=maybe", "takes one option only"),
    ("smtp_url", "smtp://169.254.0.1", "link-local"),
    ("alert_email_to", "stock@example.com; night@example.com", "with commas"),
    ("alert_email_to", "me@example.org,", "with commas"),
    ("alert_email_to", ", ".join(f"a{n}@example.com" for n in range(21)), "20 e-mail addresses at most"),
    ("alert_email_from", "Stock <stock@example.com>", "must be one e-mail address"),
    ("alert_failures_in_a_row", 1, "from 2 to 100"),
    ("alert_oldest_job_minutes", 9, "from 10 to 1380"),
]


def test_wrong_settings_are_refused_with_words_that_do_not_repeat_them(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value, said in WRONG:
        answer = admin.patch("settings", {key: value})
        assert refused(answer, 422, "invalid_fields"), (key, value)
        assert said in faults(answer)[key], value
        if isinstance(value, str):
            assert value not in answer.get_data(as_text=True)
    monkeypatch.setenv("ALLOW_PRIVATE_ADDRESSES", "false")
    config.settings.cache_clear()
    for key, value in (("alert_webhook_url", "https://10.0.0.1/hook"), ("smtp_url", "smtp://localhost")):
        assert "ALLOW_PRIVATE_ADDRESSES" in faults(admin.patch("settings", {key: value}))[key]
    assert rows("SELECT count(*) FROM rm_settings") == [(0,)]
