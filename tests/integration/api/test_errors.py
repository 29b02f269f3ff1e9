"""One shape for every error, and nothing of the input in any."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask

from api import edge
from models import database as models_database
from tests.integration.api.bodies import bigcommerce, company, faults, refused
from tests.integration.api.conftest import Caller

SHAPE = ["type", "title", "status", "detail", "code", "request_id", "errors"]
CANARY = "canary-7f3a"
NOWHERE = "postgresql://nobody:nothing@127.0.0.1:1/nothing"


def _json(body: str, content_type: str = "application/json") -> dict[str, Any]:
    return {"data": body, "content_type": content_type}


ERRORS = {
    "no such address": ("GET", "nothing/here", {}, 404, "not_found"),
    "no such row": ("GET", "sites/999", {}, 404, "unknown_site"),
    "an id that no row can have": ("GET", "sites/99999999999999999999", {}, 404, "not_found"),
    "a method that is not taken": ("PUT", "sites", {}, 405, "method_not_allowed"),
    "truncated JSON": ("POST", "companies", _json('{"name": '), 400, "malformed_json"),
    "no body": ("POST", "companies", _json("", ""), 400, "malformed_json"),
    "bytes that are not UTF-8": ("POST", "companies", _json("\udcff"), 400, "malformed_json"),
    "NaN, which is not JSON": ("POST", "companies", _json('{"name": NaN}'), 400, "malformed_json"),
    "endless nesting": ("POST", "companies", _json("[" * 100_000), 400, "malformed_json"),
    "a number of 5,000 digits": ("POST", "sites", _json("9" * 5000), 400, "malformed_json"),
    "a list for an object": ("POST", "companies", _json("[]"), 422, "invalid_fields"),
    "JSON inside JSON": ("POST", "companies", _json('"{}"'), 422, "invalid_fields"),
    "a form": ("POST", "companies", _json("name=x", "application/x-www-form-urlencoded"), 415, "not_json"),
    "a body of over 1 MiB": ("POST", "companies", _json("x" * (edge.LARGEST_BODY + 1)), 413, "body_too_large"),
    "fields that are wrong": ("POST", "companies", _json("{}"), 422, "invalid_fields"),
    "a query that is wrong": ("GET", "sites?limit=0", {}, 422, "invalid_fields"),
    "a filter that there isn't": ("GET", "sites?sort=name", {}, 422, "invalid_fields"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_has_the_one_shape(admin: Caller, name: str) -> None:
    method, path, options, status, code = ERRORS[name]
    if "data" in options:
        options = {**options, "data": options["data"].encode("utf-8", "surrogateescape")}

    answer = admin(method, path, headers={"X-Request-ID": "asked-1"}, **options)

    assert refused(answer, status, code)
    body = answer.get_json()
    assert list(body) == SHAPE
    assert answer.content_type == "application/problem+json"
    assert (body["status"], body["request_id"]) == (status, "asked-1")
    assert body["type"] == "about:blank"
    assert isinstance(body["title"], str)
    assert body["detail"].endswith(".")


def test_an_address_that_takes_other_methods_names_them(admin: Caller) -> None:
    assert set(admin("PUT", "sites").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_every_bad_field_is_named_at_once(admin: Caller) -> None:
    body = bigcommerce(1, name=" ", safety_stock=-1, store_hash="a/b", channel_ids=[0], active="yes")

    answer = admin.post("sites", body)

    assert faults(answer) == {
        "name": "must not be empty",
        "safety_stock": "must be at least 0",
        "store_hash": "is not in the form that is expected here",
        "channel_ids.0": "must be at least 1",
        "active": "must be true or false",
    }


@pytest.mark.parametrize("platform", ["magento", None, 5, {"a": "b"}])
def test_an_unknown_platform_does_not_hide_the_other_faults(admin: Caller, platform: Any) -> None:
    answer = admin.post("sites", {"platform": platform, "company": 1, "safety_stock": 0.5})

    assert faults(answer) == {
        "platform": "must be bigcommerce or woocommerce",
        "name": "is required",
        "safety_stock": "must be a whole number",
    }


@pytest.mark.parametrize(
    "body",
    [
        company(name=CANARY * 100, tenant_id=CANARY + "!", company_id=CANARY, client_secret=5),
        company(**{CANARY + " with spaces": 1}),
        company(api_url=f"https://user:{CANARY}@example.com"),
        company(client_secret=[CANARY]),
        bigcommerce(1, platform=CANARY),
        bigcommerce(CANARY, access_token=CANARY + "\n\x00", webhook_proofs=[CANARY]),  # type: ignore[arg-type]
    ],
)
def test_no_error_repeats_what_was_sent(admin: Caller, body: dict[str, Any]) -> None:
    for path in ("companies", "sites"):
        answer = admin("POST", path, json=body, headers={"X-Request-ID": "x"})

        assert answer.status_code == 422
        assert CANARY not in answer.get_data(as_text=True)


def test_a_query_is_not_repeated_either(admin: Caller) -> None:
    for query in ({"cursor": CANARY}, {"status": CANARY}, {"limit": CANARY}, {"site": CANARY}):
        answer = admin.get("jobs", **query)

        assert list(faults(answer)) == list(query)
        assert CANARY not in answer.get_data(as_text=True)


def test_without_postgresql_the_answer_is_503_and_says_when_to_try_again(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    models_database.db.close_all()
    models_database.configure(NOWHERE)

    answer = admin.get("sites")

    assert refused(answer, 503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert list(answer.get_json()) == SHAPE


def test_a_fault_of_ours_is_logged_with_its_request_and_tells_nothing(
    app: Flask, admin: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise RuntimeError(f"about {CANARY}")

    app.add_url_rule("/broken", view_func=broken)

    answer = admin("GET", "/broken", headers={"X-Request-ID": "find-me"})

    assert refused(answer, 500, "internal_error")
    assert CANARY not in answer.get_data(as_text=True)
    logged = capsys.readouterr().err
    assert "find-me" in logged
    assert "RuntimeError" in logged
    assert logging.getLogger().handlers


def test_a_request_id_of_the_caller_is_kept_and_a_strange_one_replaced(stranger: Caller) -> None:
    kept = stranger("GET", "/healthz", headers={"X-Request-ID": "abc.DEF_1-2"})
    replaced = [
        stranger("GET", "/healthz", headers={"X-Request-ID": strange}).headers["X-Request-ID"]
        for strange in ("a b", "x" * 129, "<script>", "", "é")
    ]

    assert kept.headers["X-Request-ID"] == "abc.DEF_1-2"
    assert all(len(made) == 32 and made.isalnum() for made in replaced)


def test_every_answer_has_safe_headers(admin: Caller, stranger: Caller) -> None:
    for answer in (admin.get("sites"), stranger.get("sites"), stranger("GET", "/nothing")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
