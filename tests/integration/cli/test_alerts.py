"""`inventory-sync alerts`: the list, a test of the channels, and their secrets under a new key."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from models import config, setting
from models.site import Site
from tests.integration.alerts.receivers import WebhookReceiver, nowhere
from tests.integration.alerts.watching import look
from tests.integration.alerts.watching import run as ended
from tests.integration.cli.conftest import Run, json_of, only_line


def test_alerts_are_listed_as_a_table_and_as_json(run: Run, shop: Site) -> None:
    assert run("alerts", "list").stdout == "no such alert\n"
    ended(shop.id, "failed", "down")
    look()

    assert "The sync of Outlet failed: down" in run("alerts", "list").stdout
    (found,) = json_of(run("alerts", "list", "--state", "open", "--json"))
    assert (found["kind"], found["subject"], found["change"]) == ("run_failed", f"site:{shop.id}", 1)
    assert json_of(run("alerts", "list", "--state", "resolved", "--json")) == []


def test_a_test_says_what_each_channel_made_of_it_and_fails_with_one(run: Run, database: str) -> None:
    result = run("alerts", "test")
    assert result.exit_code == 1
    assert only_line(result).startswith("Error: no channel is set up: set alert_webhook_url")
    with WebhookReceiver() as receiver:
        setting.change("alert_webhook_url", receiver.url)
        assert run("alerts", "test").stdout == "ok    webhook: answered 200\n"
        assert receiver.bodies[0]["text"].startswith("Test: ")
        receiver.will_answer(410)
        result = run("alerts", "test", "--json")
    assert result.exit_code == 1
    assert '"ok": false' in result.stdout


def test_a_channel_s_secret_is_rotated_with_the_others(
    run: Run, environment: dict[str, str], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = nowhere()
    setting.change("alert_webhook_url", address)
    setting.change("smtp_url", "smtp://127.0.0.1:25")
    new = Fernet.generate_key().decode()
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{new},{environment['ENCRYPTION_KEYS']}")
    monkeypatch.setattr("workers.secret_columns.BATCH_ROWS", 1)

    assert run("keys", "rotate").exit_code == 0

    monkeypatch.setenv("ENCRYPTION_KEYS", new)
    config.settings.cache_clear()
    assert setting.read("alert_webhook_url").reveal() == address
    assert setting.read("smtp_url").reveal() == "smtp://127.0.0.1:25"
