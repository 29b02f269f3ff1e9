"""The OpenAPI document: made from the code, whole, and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from api.rest import (
    alerts,
    companies,
    inventory,
    items,
    jobs,
    run_items,
    schedule,
    settings,
    site_webhooks,
    sites,
    sync_runs,
    tokens,
    webhook_log,
)
from api.rest.checks import Report
from api.rest.choices import ChoiceList
from api.rest.examples import EXAMPLES
from tests.integration.api.conftest import Caller

UNDOCUMENTED = {"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"}
METHODS = {"get", "post", "patch", "delete"}
MODULES = (
    alerts, companies, inventory, items, jobs, run_items, schedule, settings, site_webhooks, sites, sync_runs, tokens,
    webhook_log,
)  # fmt: skip


@pytest.fixture
def document(stranger: Caller) -> dict[str, Any]:
    found: dict[str, Any] = stranger.get("openapi.json").get_json()
    return found


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for entry in node:
            yield from _references(entry)


def is_for_people(endpoint: str) -> bool:
    """The panel's pages are no API."""
    return endpoint.startswith("panel.") or endpoint == "static"


def test_it_lists_every_route_and_no_other(app: Flask, document: dict[str, Any]) -> None:
    routed = {
        (re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", str(rule)), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if str(rule) not in UNDOCUMENTED and not is_for_people(rule.endpoint)
    }

    assert {(path, method) for path, method, _ in _operations(document)} == routed


def test_it_has_the_structure_of_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Inventory Sync"
    assert document["info"]["version"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in _operations(document):
        assert method in METHODS
        assert operation["summary"].endswith("."), path
        assert operation["tags"]
        declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))
        for parameter in operation.get("parameters", []):
            assert parameter["schema"]
            assert parameter.get("required") is True or parameter["in"] == "query"
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"[2-5]\d\d", status)
            assert answer["description"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    for reference in set(_references(document)):
        prefix, _, name = reference.rpartition("/")
        assert prefix == "#/components/schemas"
        assert name in schemas


def test_every_route_tells_its_scope_and_that_scope_is_enforced(app: Flask, document: dict[str, Any]) -> None:
    enforced = {
        (re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", str(rule)), method.lower()): getattr(
            app.view_functions[rule.endpoint], "needs_scope", None
        )
        for rule in app.url_map.iter_rules()
        for method in rule.methods or set()
    }
    for path, method, operation in _operations(document):
        scope = enforced[path, method]
        assert operation["security"] == [{"bearer": [scope]}]
        assert operation["x-scope"] == scope
        assert f"scope `{scope}`" in operation["description"]


def test_every_route_tells_the_errors_that_it_may_answer(document: dict[str, Any]) -> None:
    problem = {"$ref": "#/components/schemas/Problem"}
    for path, _, operation in _operations(document):
        answers = operation["responses"]
        assert {"401", "403", "500", "503"} <= answers.keys()
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= answers.keys()
        if "{" in path:
            assert "404" in answers
        for status, answer in answers.items():
            if status >= "4":
                assert answer["content"]["application/problem+json"]["schema"] == problem


def test_every_body_and_answer_has_an_example(document: dict[str, Any]) -> None:
    for path, method, operation in _operations(document):
        contents = [answer.get("content", {}) for answer in operation["responses"].values()]
        contents.append(operation.get("requestBody", {}).get("content", {}))
        for content in contents:
            for media in content.values():
                assert media["example"], (path, method)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_one_of_its_schema(name: str) -> None:
    if name == "Problem":
        return
    known = {**vars(companies), **vars(tokens), "Report": Report, "ChoiceList": ChoiceList}
    for module in MODULES:
        known |= vars(module)

    parsed = known[name].model_validate(EXAMPLES[name])

    dumped = parsed.model_dump(mode="json", exclude_unset=True)
    if "secret" not in str(EXAMPLES[name]) and "token" not in str(EXAMPLES[name]):
        assert dumped == EXAMPLES[name]


def test_secrets_are_marked_as_passwords_and_stand_in_no_answer(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    secrets = {"client_secret", "access_token", "consumer_key", "consumer_secret", "webhook_secret"}

    asked = schemas["NewCompany"]["properties"]["client_secret"]
    assert (asked["format"], asked["writeOnly"]) == ("password", True)
    for name in ("CompanyAnswer", "BigCommerceSite", "WooCommerceSite"):
        assert not secrets & schemas[name]["properties"].keys()
