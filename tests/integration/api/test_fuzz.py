"""Whatever is sent, no answer is a fault of ours, and every one has the shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.site import Site
from tests.integration.api.bodies import bigcommerce, company, woocommerce
from tests.integration.api.conftest import Caller
from workers.companies import NewCompany
from workers.site_forms import SiteChange

FIELDS = sorted({*NewCompany.model_fields, *SiteChange.model_fields, "since"})
SETTINGS = ["timezone", "full_sync_time", "public_webhook_url", "webhook_log_retention_days"]
FILTERS = ["site", "status", "sku", "product_id", "active", "differs", "limit", "cursor", "run", "queue", "reason",
           "skip_reason", "outcome", "event_type", "since"]  # fmt: skip
LISTS = ["items", "jobs", "sync-runs", "webhook-log", "sites", "companies", "sync-runs/1/items", "tokens"]

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(alphabet="\x00\ud800é/:@[]")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
bodies = st.dictionaries(st.sampled_from(FIELDS + SETTINGS) | st.text(max_size=10), values, max_size=8)
fuzzing = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)  # what is made by one example may stay for the next: that too is a case


def _judge(answer: Any) -> None:
    assert answer.status_code < 500, answer.get_data(as_text=True)
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json"
        assert set(answer.get_json()) >= {"code", "errors", "request_id"}


def _text(body: Any) -> bytes:
    return json.dumps(body).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "companies"), ("POST", "sites"), ("PATCH", "companies/1"), ("PATCH", "sites/1"),
     ("PATCH", "sites/2"), ("PATCH", "settings"), ("POST", "tokens"), ("POST", "sites/1/webhooks/replay")],
)  # fmt: skip
def test_no_body_breaks_a_route(admin: Caller, store: Site, shop: Site, method: str, path: str) -> None:
    right = {"companies": company(), "sites": bigcommerce(1), "sites/2": woocommerce(1)}.get(path, {})

    @fuzzing
    @given(bodies)
    def fuzz(body: dict[str, Any]) -> None:
        for sent in (body, {**right, **body}):
            _judge(admin(method, path, data=_text(sent), content_type="application/json"))

    fuzz()


@pytest.mark.parametrize("path", LISTS)
def test_no_query_breaks_a_list(admin: Caller, store: Site, path: str) -> None:
    @fuzzing
    @given(
        st.dictionaries(st.sampled_from(FILTERS), st.text(alphabet=st.characters(codec="utf-8")), max_size=4)
    )
    def fuzz(query: dict[str, str]) -> None:
        _judge(admin.get(path, **query))

    fuzz()


def test_no_bytes_break_a_body(admin: Caller) -> None:
    @fuzzing
    @given(st.binary(max_size=200))
    def fuzz(body: bytes) -> None:
        _judge(admin("POST", "companies", data=body, content_type="application/json"))
        _judge(admin("POST", "inventory/sync/all", data=body, content_type="application/json"))

    fuzz()


def test_no_authorization_header_breaks_the_door(stranger: Caller) -> None:
    @fuzzing
    @given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=100))
    def fuzz(header: str) -> None:
        answer = stranger("GET", "sites", headers={"Authorization": header, "X-Request-ID": header})
        assert answer.status_code == 401

    fuzz()
