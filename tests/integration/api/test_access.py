"""Who may do what: every route wants a token, and the scope that it is documented with."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from api.auth import PUBLIC
from models.access import SCOPES, ApiToken
from models.database import execute, rows, session
from tests.integration.api.bodies import refused
from tests.integration.api.conftest import Caller
from workers import tokens

OPEN = {"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/static/<path:filename>"}
READ_ONLY = {"GET", "HEAD"}


def _routes(app: Flask) -> list[tuple[str, str, str]]:
    """Every method and address, with the scope that its view declares."""
    return [
        (method, str(rule), getattr(app.view_functions[rule.endpoint], "needs_scope", "none declared"))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("panel.")  # tests/integration/panel
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _path(rule: str) -> str:
    return rule if "<" not in rule else rule[: rule.index("<")] + "1" + rule[rule.index(">") + 1 :]


def test_every_route_declares_its_scope_and_only_these_are_open(app: Flask) -> None:
    routes = _routes(app)

    assert {scope for _, _, scope in routes} <= {*SCOPES, PUBLIC}
    assert {rule for _, rule, scope in routes if scope == PUBLIC} == OPEN
    assert len(routes) > 40


def test_every_other_route_refuses_whoever_has_no_token(app: Flask, stranger: Caller) -> None:
    for method, rule, scope in _routes(app):
        if scope != PUBLIC:
            answer = stranger(method, _path(rule))
            assert refused(answer, 401, "token_missing"), rule
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_route_refuses_a_lesser_scope_and_names_the_one_it_needs(
    app: Flask, reader: Caller, syncer: Caller
) -> None:
    for method, rule, scope in _routes(app):
        lesser = {"sync": [reader], "admin": [reader, syncer]}.get(scope, [])
        for caller in lesser:
            answer = caller(method, _path(rule))
            assert refused(answer, 403, "scope_missing"), rule
            assert f"scope {scope}" in answer.get_json()["detail"]
            assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]


def test_what_only_reads_business_is_for_readers_and_what_changes_is_not(app: Flask) -> None:
    for method, rule, scope in _routes(app):
        if method not in READ_ONLY:
            assert scope in ("sync", "admin"), rule


def test_scopes_are_checked_before_a_body_is_looked_at(reader: Caller, stranger: Caller) -> None:
    broken: dict[str, Any] = {"data": "{", "content_type": "application/json"}

    assert reader("POST", "companies", **broken).status_code == 403
    assert stranger("POST", "companies", **broken).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Token abc", "Bearer \xff\xfe", "Bearer " + "x" * 8000],
)
def test_what_is_no_token_of_ours_is_refused(stranger: Caller, header: str) -> None:
    answer = stranger("GET", "sites", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.get_json()["errors"] == []


def test_the_scheme_may_be_written_in_any_case(admin: Caller, stranger: Caller) -> None:
    assert stranger("GET", "sites", headers={"Authorization": f"bearer {admin.token}"}).status_code == 200


def test_only_a_hash_of_a_token_is_stored(admin: Caller) -> None:
    assert admin.token is not None
    stored = rows("SELECT token_hash FROM rm_api_tokens")

    assert stored == [(tokens.hashed(admin.token),)]
    assert admin.token not in str(rows("SELECT * FROM rm_api_tokens"))


def test_a_revoked_token_opens_nothing(admin: Caller, reader: Caller) -> None:
    revoked = next(one for one in admin.get("tokens").get_json()["items"] if one["scope"] == "read")

    assert reader.get("sites").status_code == 200
    assert admin.delete(f"tokens/{revoked['id']}").status_code == 204
    assert refused(reader.get("sites"), 401, "token_invalid")
    assert admin.delete(f"tokens/{revoked['id']}").status_code == 204
    assert admin.get("tokens").get_json()["items"][1]["revoked_at"].endswith("Z")


def test_the_last_use_is_noted_at_most_once_a_minute(reader: Caller) -> None:
    def noted() -> Any:
        with session():
            return ApiToken.get(ApiToken.scope == "read").last_used_at

    assert noted() is None
    reader.get("sites")
    first = noted()
    reader.get("sites")
    assert noted() == first
    execute("UPDATE rm_api_tokens SET last_used_at = now() - interval '61 seconds'")
    reader.get("sites")
    assert noted() >= first


def test_a_new_token_is_shown_once_and_works(admin: Caller, stranger: Caller) -> None:
    made = admin.post("tokens", {"name": "script", "scope": "read"})

    token = made.get_json()["token"]
    assert made.status_code == 201
    assert stranger("GET", "sites", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert token not in admin.get("tokens").get_data(as_text=True)


@pytest.mark.parametrize(
    "body", [{"name": "x"}, {"name": "x", "scope": "root"}, {"name": "", "scope": "read"}]
)
def test_a_token_needs_a_name_and_a_scope(admin: Caller, body: dict[str, str]) -> None:
    assert refused(admin.post("tokens", body), 422, "invalid_fields")


def test_a_token_that_there_is_not_cannot_be_revoked(admin: Caller) -> None:
    assert refused(admin.delete("tokens/999"), 404, "unknown_token")
