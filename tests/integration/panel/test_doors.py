"""Every page and every button has its door: a session, a role, a form of ours, the right method."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from api.auth import PUBLIC
from models.access import SCOPES
from models.database import rows
from tests.integration.panel.conftest import Person

OPEN = {("GET", "/sign-in"), ("POST", "/sign-in")}
OWN = {"/sign-out", "/sign-out/everywhere", "/account"}  # of one's own session: for every role


def routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Every method and address of the panel, with the scope that its view declares."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("panel."):
            view = app.view_functions[rule.endpoint]
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, str(rule), getattr(view, "needs_scope", "none declared")


def path(rule: str) -> str:
    """An address of the rule."""
    return re.sub(r"<[^>]*>", "1", rule)


def test_every_page_declares_its_scope_and_only_the_sign_in_is_open(app: Flask) -> None:
    found = list(routes(app))

    assert {scope for _, _, scope in found} <= {*SCOPES, PUBLIC}
    assert {(method, rule) for method, rule, scope in found if scope == PUBLIC} == OPEN


def test_a_page_and_what_changes_something_are_never_at_one_address_for_readers(app: Flask) -> None:
    for method, rule, scope in routes(app):
        if method != "GET" and rule not in OWN and (method, rule) not in OPEN:
            assert scope in ("sync", "admin"), rule


def test_whoever_is_not_signed_in_is_asked_to(app: Flask, visit: Callable[[], Person]) -> None:
    stranger = visit()
    stranger.get("/sign-in")
    for method, rule, scope in routes(app):
        if scope != PUBLIC:
            answer = stranger.get(path(rule)) if method == "GET" else stranger.post(path(rule))
            assert answer.status_code == 303, rule
            assert answer.headers["Location"].startswith("/sign-in"), rule


def test_a_lesser_role_is_refused_and_nothing_is_done(app: Flask, viewer: Person, operator: Person) -> None:
    for method, rule, scope in routes(app):
        for person in {"sync": [viewer], "admin": [viewer, operator]}.get(scope, []):
            answer = person.get(path(rule)) if method == "GET" else person.post(path(rule))
            assert answer.status_code == 403, rule
            assert scope in answer.get_data(as_text=True)
    assert rows("SELECT DISTINCT action FROM rm_audit_log") == [("sign_in.enter",)]


def test_a_form_without_its_token_is_refused(app: Flask, admin: Person) -> None:
    for method, rule, _ in routes(app):
        if method != "GET":
            answer = admin.client.post(path(rule))
            assert answer.status_code == 400, rule
            assert "reload the page" in answer.get_data(as_text=True)


def test_the_token_of_another_session_is_refused(admin: Person, visit: Callable[[], Person]) -> None:
    other = visit()
    other.get("/sign-in")

    assert admin.client.post("/sign-out", data={"csrf_token": other.token}).status_code == 400
    assert admin.get("/").status_code == 200


def test_what_changes_something_takes_no_get(app: Flask, admin: Person) -> None:
    readable = {rule for method, rule, _ in routes(app) if method == "GET"}
    for method, rule, _ in routes(app):
        if method != "GET" and rule not in readable:
            assert admin.get(path(rule)).status_code == 405, rule


def test_every_page_has_the_strict_policy_and_no_inline_script(app: Flask, admin: Person) -> None:
    for method, rule, _ in routes(app):
        if method != "GET":
            continue
        answer = admin.get(path(rule))
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, rule
        assert "unsafe" not in policy, rule
        text = answer.get_data(as_text=True)
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == [], rule
        assert re.findall(r"\s(?:style|on[a-z]+)=\"", text) == [], rule
        assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_the_sign_in_leads_to_no_other_site(visit: Callable[[], Person], admin: Person, address: str) -> None:
    answer = visit().sign_in("admin", next=address)

    assert answer.headers["Location"] == "/"


def test_the_sign_in_leads_back_to_where_one_was_going(visit: Callable[[], Person], admin: Person) -> None:
    asked = visit().get("/?x=1")

    assert asked.headers["Location"] == "/sign-in?next=/?x%3D1"
    assert visit().sign_in("admin", next="/?x=1").headers["Location"] == "/?x=1"
