"""Settings over REST: all of them, changed together or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from models.database import rows
from models.setting import SETTINGS
from tests.integration.api.bodies import faults, refused
from tests.integration.api.conftest import Caller

DEFAULTS = {
    f"{key}_set" if definition.secret else key: False if definition.secret else definition.default
    for key, definition in SETTINGS.items()
}


def test_all_settings_are_shown_with_their_defaults(reader: Caller) -> None:
    assert reader.get("settings").get_json() == DEFAULTS


def test_what_is_given_changes_and_the_rest_stays(admin: Caller) -> None:
    change = {"timezone": "Europe/Paris", "webhook_log_retention_days": 30}

    assert admin.patch("settings", change).get_json() == {**DEFAULTS, **change}
    assert admin.get("settings").get_json() == {**DEFAULTS, **change}


def test_the_same_value_again_does_not_count_as_a_change(admin: Caller) -> None:
    admin.patch("settings", {"full_sync_time": "02:00"})
    assert rows("SELECT count(*) FROM rm_settings") == [(0,)]

    admin.patch("settings", {"full_sync_time": "03:30"})
    before = rows("SELECT updated_at FROM rm_settings")
    admin.patch("settings", {"full_sync_time": "03:30"})
    assert rows("SELECT updated_at FROM rm_settings") == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("webhook_log_retention_days", 0),
        ("webhook_log_retention_days", 366),
        ("webhook_log_retention_days", "30"),
        ("webhook_log_retention_days", True),
        ("webhook_log_retention_days", None),
        ("public_webhook_url", "http://example.com"),
        ("public_webhook_url", "https://\x00"),
        ("public_webhook_url", "https://\ud800"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", {}),
        ("full_sync_time", "24:00"),
        ("full_sync_time", "2:00"),
        ("cleanup_time", 300),
        ("hello", 1),
    ],
)
def test_a_wrong_value_is_named_and_nothing_changes(admin: Caller, key: str, value: Any) -> None:
    answer = admin.patch("settings", {"queue_retention_days": 7, key: value})

    assert refused(answer, 422, "invalid_fields")
    assert list(faults(answer)) == [key]
    assert rows("SELECT count(*) FROM rm_settings") == [(0,)]


def test_null_takes_the_address_back(admin: Caller) -> None:
    admin.patch("settings", {"public_webhook_url": "https://hooks.example.com"})

    assert admin.patch("settings", {"public_webhook_url": None}).get_json() == DEFAULTS
