"""Tokens: shown once, revoked for good."""

from __future__ import annotations

import html
import re

from flask import Flask

from models.database import row, rows
from tests.integration.panel.conftest import Person
from workers import tokens

TEXT = re.compile(r'id="token-text">(ist_[\w-]{40,})<')


def made(admin: Person, **fields: str) -> str:
    """The text of a new token."""
    admin.get("/access/tokens/new")
    answer = admin.post("/access/tokens/new", **{"name": "warehouse", "scope": "read", **fields})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    found = TEXT.search(answer.get_data(as_text=True))
    assert found is not None
    return found[1]


def test_a_token_is_shown_once_and_works(admin: Person, app: Flask) -> None:
    text = made(admin)

    api = app.test_client().get("/api/v1/sites", headers={"Authorization": f"Bearer {text}"})
    assert api.status_code == 200
    for page in ("/access/tokens", "/access/audit", "/"):
        assert text not in admin.text(page)
    assert text not in str(rows("SELECT * FROM rm_api_tokens, rm_audit_log"))


def test_a_token_without_a_name_or_of_an_unknown_scope_is_not_made(admin: Person) -> None:
    admin.get("/access/tokens/new")
    for wrong in ({"name": "", "scope": "read"}, {"name": "x", "scope": "everything"}):
        answer = admin.post("/access/tokens/new", **wrong)
        assert answer.status_code == 422
        assert 'class="error"' in answer.get_data(as_text=True)
    assert rows("SELECT 1 FROM rm_api_tokens") == []


def test_a_revoked_token_works_no_more_and_stays_in_the_list(admin: Person) -> None:
    text = made(admin)
    assert tokens.check(text) is not None

    admin.post("/access/tokens/1/revoke")

    assert tokens.check(text) is None
    page = admin.text("/access/tokens")
    assert "Token 1 is revoked." in page
    assert 'action="/access/tokens/1/revoke"' not in page


def test_revoking_a_token_that_does_not_exist_says_so(admin: Person) -> None:
    admin.get("/access/tokens")
    answer = admin.post("/access/tokens/99/revoke")
    assert answer.status_code == 404
    assert "There is no such token." in html.unescape(answer.get_data(as_text=True))


def test_tokens_are_listed_a_page_at_a_time_the_newest_first(admin: Person) -> None:
    for number in range(51):
        tokens.create(f"program {number}", "read")

    first = admin.text("/access/tokens")
    second = admin.text(first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0])

    assert ("program 50<" in first, "program 0<" in first) == (True, False)
    assert ("program 50<" in second, "program 0<" in second) == (False, True)


def test_the_audit_log_names_the_token_that_was_made(admin: Person) -> None:
    made(admin, scope="sync")

    found = row("SELECT actor, action, subject, detail FROM rm_audit_log ORDER BY id DESC LIMIT 1")
    assert found == (
        "admin",
        "tokens.create",
        "token 1",
        {"name": "warehouse", "scope": "sync", "status": 201},
    )
