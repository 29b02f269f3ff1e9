"""Settings: a form a group, errors under their fields, secrets that are never shown, and a test of the alerts."""

from __future__ import annotations

import html

import pytest
from werkzeug.test import TestResponse

from models import setting
from models.database import row, rows
from models.setting import SETTINGS
from tests.integration.alerts.receivers import URL_SECRET, WebhookReceiver
from tests.integration.panel.conftest import Person

SMTP = "smtp://stock:hunter2hunter2@127.0.0.1:1"


def text(answer: TestResponse) -> str:
    """A page's HTML as a person reads it."""
    return html.unescape(answer.get_data(as_text=True))


def test_every_setting_stands_on_the_page_in_one_group_with_its_help(admin: Person) -> None:
    page = admin.text("/settings")

    for key, definition in SETTINGS.items():
        assert page.count(f' name="{key}"') == 1, key
        assert definition.help.replace("Null:", "Empty:") in page


def test_a_viewer_sees_the_values_and_no_form(viewer: Person) -> None:
    setting.change("webhook_log_retention_days", 77)

    page = viewer.text("/settings")

    assert "<dd>77" in page
    assert 'name="webhook_log_retention_days"' not in page
    assert "Send test" not in page


def test_a_group_is_changed_together_and_others_stay(admin: Person) -> None:
    admin.get("/settings")

    answer = admin.post(
        "/settings", group="retention", webhook_log_retention_days=" 30 ", queue_retention_days="7"
    )

    assert (answer.status_code, answer.headers["Location"]) == (303, "/settings")
    assert "Retention: saved." in admin.text("/settings")
    assert setting.read_all() == {
        **{key: definition.default for key, definition in SETTINGS.items()},
        "webhook_log_retention_days": 30,
        "queue_retention_days": 7,
    }


@pytest.mark.parametrize("days", ["0", "366", "", "-1", "1e2", "ninety", "9" * 30])
def test_days_out_of_bounds_are_refused_under_their_field_and_nothing_is_stored(
    admin: Person, days: str
) -> None:
    admin.get("/settings")

    answer = admin.post(
        "/settings", group="retention", webhook_log_retention_days=days, queue_retention_days="7"
    )

    assert answer.status_code == 422
    assert text(answer).count("must be a whole number of days from 1 to 365.") == 1
    assert f'value="{days}"' in text(answer)
    assert rows("SELECT * FROM rm_settings") == []


def test_every_field_that_is_wrong_is_told_at_once(admin: Person) -> None:
    admin.get("/settings")

    answer = admin.post(
        "/settings",
        group="schedule",
        timezone="Mars/Olympus",
        full_sync_time="25:00",
        cleanup_time="04:00",
        schedule_latest_minutes="9",
    )

    assert answer.status_code == 422
    assert text(answer).count('aria-invalid="true"') == 3
    assert "must be a zone name such as Europe/Paris or UTC." in text(answer)
    assert rows("SELECT * FROM rm_settings") == []


def test_a_setting_of_another_group_can_not_be_slipped_in(admin: Person) -> None:
    admin.get("/settings")

    admin.post("/settings", group="guard", guard_share_percent="50", timezone="Europe/Paris")
    assert admin.post("/settings", group="nothing", timezone="Europe/Paris").status_code == 404

    assert rows("SELECT key FROM rm_settings") == [("guard_share_percent",)]


def test_the_zone_is_chosen_from_a_list_and_the_next_night_is_shown_in_it(admin: Person) -> None:
    assert '<option value="America/New_York">' in admin.text("/settings")

    admin.post(
        "/settings",
        group="schedule",
        timezone="Asia/Kolkata",
        full_sync_time="04:30",
        cleanup_time="03:00",
        schedule_latest_minutes="240",
    )

    page = admin.text("/settings")
    assert "04:30 in Asia/Kolkata" in page
    assert "Next full sync" in page


def test_what_is_saved_as_it_was_changes_nothing(admin: Person) -> None:
    admin.get("/settings")

    admin.post("/settings", group="retention", webhook_log_retention_days="90", queue_retention_days="14")

    assert "nothing has changed" in admin.text("/settings")
    assert rows("SELECT * FROM rm_settings") == []


def test_an_emptied_address_goes_back_to_none(admin: Person) -> None:
    admin.get("/settings")
    admin.post("/settings", group="public-address", public_webhook_url="https://hooks.example.com")
    assert setting.read("public_webhook_url") == "https://hooks.example.com"

    admin.post("/settings", group="public-address", public_webhook_url="")

    assert setting.read("public_webhook_url") is None


def test_a_secret_is_never_shown_stays_where_its_field_is_empty_and_goes_where_that_is_asked(
    admin: Person,
) -> None:
    alerts = {
        "group": "alerts",
        "alert_email_to": "stock@example.com",
        "alert_email_from": "",
        "alert_failures_in_a_row": "3",
        "alert_oldest_job_minutes": "15",
    }
    admin.get("/settings")
    admin.post("/settings", **alerts, alert_webhook_url="", smtp_url=SMTP)
    assert "hunter2" not in admin.text("/settings")

    admin.post("/settings", **alerts, alert_webhook_url="", smtp_url="")
    assert setting.read("smtp_url").reveal() == SMTP

    refused = admin.post("/settings", **alerts, alert_webhook_url=f"ftp://x/{URL_SECRET}", smtp_url="")
    assert refused.status_code == 422
    assert URL_SECRET not in text(refused)

    admin.post("/settings", **alerts, smtp_url="", remove_smtp_url="on")
    assert setting.read("smtp_url") is None
    assert "hunter2" not in str(rows("SELECT detail FROM rm_audit_log"))


def test_the_audit_log_says_which_settings_were_changed(admin: Person) -> None:
    admin.get("/settings")
    admin.post("/settings", group="guard", guard_share_percent="50")

    assert row(
        "SELECT actor, action, subject, detail->'changed' FROM rm_audit_log ORDER BY id DESC LIMIT 1"
    ) == (
        "admin",
        "settings.change",
        "guard",
        ["guard_share_percent"],
    )


def test_a_test_of_the_alerts_tells_what_became_of_each_channel(admin: Person) -> None:
    with WebhookReceiver() as receiver:
        setting.change("alert_webhook_url", receiver.url)
        setting.change("smtp_url", SMTP)
        setting.change("alert_email_to", "stock@example.com")
        assert "Send test by webhook and email" in admin.text("/settings")

        admin.post("/settings/alerts/test")

        page = admin.text("/settings")
        assert len(receiver.bodies) == 1
    assert '<p class="message good">Test by webhook' in page
    assert '<p class="message bad">Test by email' in page
    assert "hunter2" not in page
    assert URL_SECRET not in page


def test_where_no_channel_is_set_up_the_test_says_what_to_do(admin: Person) -> None:
    assert "No channel is set up" in admin.text("/settings")

    admin.post("/settings/alerts/test")

    assert "No test was sent: no channel is set up" in admin.text("/settings")
