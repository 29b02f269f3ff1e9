"""Business Central as a client meets it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import quote

import pytest
import requests

from tests.simulators.handles import BusinessCentralHandle

from .conftest import TIMEOUT, Caller, bc_token


@pytest.fixture
def slow_bc(bc: BusinessCentralHandle) -> Iterator[BusinessCentralHandle]:
    bc.set_latency(300)
    yield bc
    bc.set_latency(0)
    bc.configure(at_once=5, queued=95, window_requests=6000, window_seconds=300, retry_after_on_429=False)


def code_of(response: requests.Response) -> str:
    return str(response.json()["error"]["code"])


def test_a_token_is_counted_and_says_when_it_expires(bc: BusinessCentralHandle) -> None:
    token = bc_token(bc).json()
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 3599
    assert bc.calls() == {"POST /oauth2/v2.0/token": 1}


@pytest.mark.parametrize(
    ("changed", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, 400, "unauthorized_client", 700016),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope", 70011),
    ],
)
def test_wrong_credentials_are_refused_with_microsofts_codes(
    bc: BusinessCentralHandle, changed: dict[str, str], status: int, error: str, code: int
) -> None:
    response = bc_token(bc, **changed)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json()["error_codes"] == [code]
    assert f"AADSTS{code}" in response.json()["error_description"]


def test_an_expired_secret_has_a_code_of_its_own(bc: BusinessCentralHandle) -> None:
    bc.configure(secret_expired=True)
    try:
        assert bc_token(bc).json()["error_codes"] == [7000222]
    finally:
        bc.configure(secret_expired=False)


def test_a_token_dies_at_its_time_and_when_it_is_revoked(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    bc.revoke_tokens()
    response = bc_api.get("/items", **{"$top": 1})
    assert (response.status_code, code_of(response)) == (401, "Authentication_InvalidCredentials")
    bc.configure(token_ttl=0.05)
    try:
        bc_api.session.headers["Authorization"] = f"Bearer {bc_token(bc).json()['access_token']}"
        time.sleep(0.1)
        assert bc_api.get("/items", **{"$top": 1}).status_code == 401
    finally:
        bc.configure(token_ttl=3599)


def test_following_next_links_gives_every_item_once(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    bc_api.session.headers["Prefer"] = "odata.maxpagesize=300"
    page = bc_api.get("/items", **{"$select": "number,inventory", "$filter": "type eq 'Inventory'"}).json()
    rows = page["value"]
    while "@odata.nextLink" in page:
        assert "aid=FIN" in page["@odata.nextLink"]
        assert "$skiptoken=" in page["@odata.nextLink"]
        page = bc_api.session.get(page["@odata.nextLink"], timeout=TIMEOUT).json()
        rows += page["value"]
    stocked = {number: inventory for number, (kind, inventory) in bc.stock().items() if kind == "Inventory"}
    assert {row["number"]: Decimal(str(row["inventory"])) for row in rows} == {
        number: Decimal(inventory) for number, inventory in stocked.items()
    }
    assert len(rows) == len(stocked)


def test_a_page_is_never_larger_than_the_server_allows(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    bc.configure(max_page_size=100)
    try:
        bc_api.session.headers["Prefer"] = "odata.maxpagesize=5000"
        assert len(bc_api.get("/items").json()["value"]) == 100
    finally:
        bc.configure(max_page_size=20_000)


def test_every_number_is_found_when_it_is_quoted_right(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    odd = [number for number in bc.stock() if any(mark in number for mark in "'&%+#?\"Ä🦊 ,\\")]
    assert len(odd) > 20
    for start in range(0, len(odd), 20):
        asked = odd[start : start + 20]
        chain = " or ".join("number eq '{}'".format(number.replace("'", "''")) for number in asked)
        rows = bc_api.get("/items", **{"$filter": chain, "$select": "number"}).json()["value"]
        assert {row["number"] for row in rows} == set(asked)


def test_an_unquoted_ampersand_or_apostrophe_breaks_the_filter(bc_api: Caller) -> None:
    for filter_text in ("number eq 'NUT&BOLT'", "number eq 'O'NEIL'"):
        unquoted = quote(filter_text, safe="'&")
        answer = bc_api.session.get(f"{bc_api.base}/items?$filter={unquoted}", timeout=TIMEOUT)
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("filter_text", "status", "code", "violation"),
    [
        ("number eq 'A' or displayName eq 'B'", 501, "BadRequest_MethodNotImplemented", "or_across_fields"),
        ("number in ('A','B')", 501, "BadRequest_MethodNotImplemented", "in_operator"),
        ("inventory gt 0", 501, "BadRequest_MethodNotImplemented", "unreliable_filter"),
        (
            "number eq '123456789012345678901'",
            400,
            "Application_FilterErrorException",
            "filter_value_too_long",
        ),
        ("colour eq 'red'", 400, "BadRequest", "unknown_field"),
        ("number eq 'A' or", 400, "BadRequest", "bad_filter"),
    ],
)
def test_what_bc_does_not_take_is_refused_and_counted(
    bc: BusinessCentralHandle, bc_api: Caller, filter_text: str, status: int, code: str, violation: str
) -> None:
    response = bc_api.get("/items", **{"$filter": filter_text})
    assert (response.status_code, code_of(response)) == (status, code)
    assert bc.violations() == {violation: 1}


def test_and_joins_fields_and_brackets_hold_an_or_chain(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    stock = bc.stock()
    kept = next(number for number, (kind, _) in stock.items() if kind == "Inventory" and number.isdigit())
    dropped = next(number for number, (kind, _) in stock.items() if kind == "Service" and "'" not in number)
    chain = f"(number eq '{kept}' or number eq '{dropped}') and type eq 'Inventory'"
    assert [row["number"] for row in bc_api.get("/items", **{"$filter": chain}).json()["value"]] == [kept]


def test_items_can_be_counted(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    total = len(bc.stock())
    assert bc_api.get("/items/$count").text == str(total)
    assert bc_api.get("/items", **{"$count": "true", "$top": 1}).json()["@odata.count"] == total


def test_a_query_over_8099_characters_is_414(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    response = bc_api.get("/items", **{"$filter": "number eq '" + "A" * 8200 + "'"})
    assert response.status_code == 414
    assert bc.violations() == {"query_too_long": 1}


def test_a_write_to_items_is_refused_and_counted(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    item_id = bc_api.get("/items", **{"$top": 1}).json()["value"][0]["id"]
    assert bc_api.send("PATCH", f"/items({item_id})", {"inventory": 5}).status_code == 405
    assert bc_api.send("POST", "/items", {"number": "NEW"}).status_code == 405
    assert bc.violations() == {"item_write": 2}


def test_asking_a_replica_for_stock_is_counted(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    bc_api.session.headers["Data-Access-Intent"] = "ReadOnly"
    assert bc_api.get("/items", **{"$top": 1}).status_code == 200
    assert bc.violations() == {"data_access_intent": 1}


def test_unknown_company_environment_and_missing_permission_are_told_apart(
    bc: BusinessCentralHandle, bc_api: Caller
) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    session = bc_api.session
    unknown = session.get(f"{bc.api_url}/companies({other})/items", timeout=TIMEOUT)
    assert (unknown.status_code, code_of(unknown)) == (404, "Internal_CompanyNotFound")
    sandbox = bc.api_url.replace(bc.environment, "Sandbox")
    assert session.get(f"{sandbox}/companies", timeout=TIMEOUT).status_code == 404
    bc.configure(permitted=False)
    try:
        assert bc_api.get("/items").status_code == 403
    finally:
        bc.configure(permitted=True)


def test_the_companies_of_the_tenant_are_listed_and_one_is_empty(
    bc: BusinessCentralHandle, bc_api: Caller
) -> None:
    companies = bc_api.session.get(f"{bc.api_url}/companies", timeout=TIMEOUT).json()["value"]
    assert {company["id"] for company in companies} == {bc.company_id, bc.empty_company_id}
    url = f"{bc.api_url}/companies({bc.empty_company_id})/items"
    assert bc_api.session.get(url, timeout=TIMEOUT).json()["value"] == []


def test_posting_stock_adds_an_entry_and_leaves_the_items_time_alone(
    bc: BusinessCentralHandle, bc_api: Caller
) -> None:
    bc.add_item("LEDGER-1", 5)
    before = bc_api.get("/items", **{"$filter": "number eq 'LEDGER-1'"}).json()["value"][0]
    (entry,) = bc.set_stock({"LEDGER-1": "2.5"})
    after = bc_api.get("/items", **{"$filter": "number eq 'LEDGER-1'"}).json()["value"][0]
    assert (before["inventory"], after["inventory"]) == (5, 2.5)
    assert after["lastModifiedDateTime"] == before["lastModifiedDateTime"]
    entries = bc_api.get("/itemLedgerEntries", **{"$filter": f"entryNumber gt {entry - 1}"}).json()["value"]
    assert [(e["itemNumber"], e["quantity"]) for e in entries] == [("LEDGER-1", -2.5)]


def test_entries_can_commit_out_of_order(bc: BusinessCentralHandle, bc_api: Caller) -> None:
    bc.add_item("LEDGER-2", 5)
    (late,) = bc.set_stock({"LEDGER-2": 1}, commit_after_ms=300)
    (early,) = bc.set_stock({"LEDGER-2": 4})
    assert late < early
    asked = {"$filter": f"entryNumber gt {late - 1}", "$select": "entryNumber"}
    assert [e["entryNumber"] for e in bc_api.get("/itemLedgerEntries", **asked).json()["value"]] == [early]
    time.sleep(0.6)
    assert [e["entryNumber"] for e in bc_api.get("/itemLedgerEntries", **asked).json()["value"]] == [
        late,
        early,
    ]


def call_at_once(caller: Caller, count: int) -> list[int]:
    statuses: list[int] = []

    def call() -> None:
        headers = dict(caller.session.headers)
        response = requests.get(f"{caller.base}/items?$top=1", headers=headers, timeout=TIMEOUT)
        statuses.append(response.status_code)

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_five_run_at_once_some_wait_and_the_rest_is_429(
    slow_bc: BusinessCentralHandle, bc_api: Caller
) -> None:
    slow_bc.configure(at_once=2, queued=3)
    assert call_at_once(bc_api, 8) == [200] * 5 + [429] * 3
    assert slow_bc.counts()["peaks"]["requests"] >= 5
    assert slow_bc.violations() == {"too_many_requests: at_once": 3}


def test_without_a_queue_a_sixth_request_is_one_too_many(
    slow_bc: BusinessCentralHandle, bc_api: Caller
) -> None:
    slow_bc.configure(queued=0)
    assert call_at_once(bc_api, 6) == [200] * 5 + [429]
    assert slow_bc.violations() == {"too_many_requests: at_once": 1}


def test_a_window_has_so_many_requests_and_429_may_lack_retry_after(
    slow_bc: BusinessCentralHandle, bc_api: Caller
) -> None:
    slow_bc.set_latency(0)
    slow_bc.configure(window_requests=2, window_seconds=1)
    statuses = [bc_api.get("/items", **{"$top": 1}).status_code for _ in range(2)]
    refused = bc_api.get("/items", **{"$top": 1})
    assert [*statuses, refused.status_code] == [200, 200, 429]
    assert "Retry-After" not in refused.headers
    assert slow_bc.violations() == {"too_many_requests: window": 1}
    assert slow_bc.counts()["peaks"]["in window"] == 2
    time.sleep(1.1)
    assert bc_api.get("/items", **{"$top": 1}).status_code == 200
