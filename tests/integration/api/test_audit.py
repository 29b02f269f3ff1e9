"""The audit log of what programs ask for."""

from __future__ import annotations

from models.database import rows
from tests.integration.api.conftest import Caller


def test_it_says_what_was_made_and_which_fields_were_given_but_not_what_was_in_them(admin: Caller) -> None:
    admin.post("tokens", {"name": "warehouse", "scope": "read"})
    admin.patch(
        "settings", {"smtp_url": "smtp://stock:hunter2hunter2@smtp.example.com", "timezone": "Europe/Paris"}
    )
    admin.get("settings")

    made, changed = rows("SELECT actor_kind, action, subject, detail, outcome FROM rm_audit_log ORDER BY id")
    assert made[:2] == ("token", "tokens.create")
    assert made[2].startswith("id ")
    assert made[3] == {"fields": ["name", "scope"], "name": "warehouse", "status": 201}
    assert changed[3:] == ({"fields": ["smtp_url", "timezone"], "status": 200}, "done")
    assert "hunter2" not in str(rows("SELECT * FROM rm_audit_log"))
