"""The Business Central client against the simulator, a real Valkey and real processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import redis

from models import config
from tests.integration.clients.raw_server import Peer, answer, raw_server, read_request, says
from tests.simulators.handles import BusinessCentralHandle
from tests.simulators.process import Simulators
from workers import limits
from workers.clients import business_central_tokens as tokens
from workers.clients.business_central import BcItem, BusinessCentral, CompanyConnection
from workers.errors import (
    AuthenticationRefused,
    BadAnswer,
    ConnectionFailed,
    MustWait,
    NotFound,
    RateLimited,
    RemoteError,
    ScopeMissing,
    Unavailable,
)

pytestmark = pytest.mark.usefixtures("environment")
ITEMS = 300


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    with Simulators.start(bc_items=ITEMS, bigcommerce=0, woocommerce=0) as running:
        yield running


@pytest.fixture
def bc(simulators: Simulators) -> Iterator[BusinessCentralHandle]:
    simulators.bc.reset()
    yield simulators.bc
    simulators.bc.set_faults()
    assert simulators.bc.violations() == {}


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    tokens._tokens.clear()
    limits._bounds.clear()


def connection(bc: BusinessCentralHandle, **changes: Any) -> CompanyConnection:
    return replace(
        CompanyConnection(
            id=1,
            tenant_id=bc.tenant_id,
            environment=bc.environment,
            company_id=bc.company_id,
            client_id=bc.client_id,
            client_secret=bc.client_secret,
            api_url=bc.api_url,
            token_url=bc.token_url,
        ),
        **changes,
    )


@pytest.fixture
def client(bc: BusinessCentralHandle) -> Iterator[BusinessCentral]:
    client = BusinessCentral(connection(bc))
    yield client
    client.close()


def sees(handle: BusinessCentralHandle) -> dict[str, tuple[str, Decimal]]:
    return {number: (kind, Decimal(text)) for number, (kind, text) in handle.stock().items()}


def shown(items: list[BcItem]) -> dict[str, tuple[str, Decimal]]:
    return {item.number: (item.type.replace("-", "_x002D_"), item.quantity) for item in items}


def test_a_scan_reads_every_item_in_one_call(client: BusinessCentral, bc: BusinessCentralHandle) -> None:
    page = client.scan()
    assert page.next_link is None
    assert page.total == len(page.items) == client.count_items() == len(bc.stock())
    assert shown(list(page.items)) == sees(bc)
    assert client.calls == {"token": 1, "items": 1, "items/$count": 1}


def test_pages_are_followed_verbatim_until_the_last(
    client: BusinessCentral, bc: BusinessCentralHandle
) -> None:
    from workers.clients import business_central

    small = {"Prefer": "odata.maxpagesize=70"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(business_central, "LISTS", small)
        page = client.scan()
        items, pages = list(page.items), 1
        while page.next_link is not None:
            page = client.scan(page.next_link)
            items += page.items
            pages += 1
    assert pages == -(-len(bc.stock()) // 70)
    assert shown(items) == sees(bc)


def test_a_chain_reads_what_was_asked_and_nothing_for_what_is_unknown(
    client: BusinessCentral, bc: BusinessCentralHandle
) -> None:
    for number, stock in (("A'B & C+D%E", "-2.5"), ("ÄÖ#?/=1", "7.12345")):
        if number not in bc.stock():
            bc.add_item(number, stock)
    found = client.read_chain(["A'B & C+D%E", "ÄÖ#?/=1", "NOT THERE"])
    assert {item.number: item.quantity for item in found} == {
        "A'B & C+D%E": Decimal("-2.5"),
        "ÄÖ#?/=1": Decimal("7.12345"),
    }
    bc.remove_item("A'B & C+D%E")
    bc.remove_item("ÄÖ#?/=1")


def test_all_items_by_chains_equal_all_items_by_scan(
    client: BusinessCentral, bc: BusinessCentralHandle
) -> None:
    numbers = list(bc.stock())
    chains = client.chains(numbers)
    found = [item for chain in chains for item in client.read_chain(chain)]
    assert shown(found) == sees(bc)
    assert client.calls["items"] == len(chains) == 2


def test_a_chain_that_comes_on_several_pages_is_read_whole(
    client: BusinessCentral, bc: BusinessCentralHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.clients import business_central

    monkeypatch.setattr(business_central, "LISTS", {"Prefer": "odata.maxpagesize=10"})
    numbers = list(bc.stock())[:35]
    assert {item.number for item in client.read_chain(numbers)} == set(numbers)
    assert client.calls["items"] == 4


def test_the_ledger_names_what_moved(client: BusinessCentral, bc: BusinessCentralHandle) -> None:
    before = client.newest_ledger_entry()
    one, other = list(bc.stock())[:2]
    first, second = bc.set_stock({one: 5, other: 6})
    entries = client.ledger_entries_after(before)
    assert [(e.entry_number, e.item_number) for e in entries.entries] == [(first, one), (second, other)]
    assert entries.next_link is None
    assert client.newest_ledger_entry() == second
    assert client.ledger_entries_after(second).entries == ()


def test_a_429_is_waited_for_by_the_whole_fleet(client: BusinessCentral, bc: BusinessCentralHandle) -> None:
    bc.set_faults(rules=[{"kind": "429_bare", "route": "GET */items"}])
    with pytest.raises(RateLimited) as limited:
        client.scan()
    assert limited.value.retry_after is None
    with pytest.raises(MustWait) as wait:
        BusinessCentral(connection(bc)).scan()
    assert 1 < wait.value.seconds <= 2.2


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("500", Unavailable, "Internal_ServerError"),
        ("503", Unavailable, "Internal_TenantUnavailable"),
        ("reset", ConnectionFailed, "reset"),
        ("truncated", BadAnswer, "not_json"),
        ("cut_off", BadAnswer, "truncated"),
        ("html_502", Unavailable, None),
        ("html_200", BadAnswer, "not_json"),
    ],
)
def test_a_read_that_goes_wrong_is_transient_and_says_how(
    client: BusinessCentral, bc: BusinessCentralHandle, fault: str, error: type[RemoteError], code: str | None
) -> None:
    client.fetch_token()
    bc.set_faults(rules=[{"kind": fault, "route": "GET */items"}])
    with pytest.raises(error) as caught:
        client.scan()
    assert caught.value.code == code
    assert not caught.value.permanent
    assert not caught.value.outcome_unknown


def test_an_endless_answer_ends_at_the_deadline(bc: BusinessCentralHandle) -> None:
    from workers.clients import business_central
    from workers.errors import RemoteTimeout

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(business_central, "CALL_SECONDS", 1.2)
        client = BusinessCentral(connection(bc))
    client.fetch_token()
    bc.set_faults(rules=[{"kind": "slow", "route": "GET */items"}])
    with pytest.raises(RemoteTimeout):
        client.scan()


def test_eight_threads_never_have_more_than_five_calls_under_way(bc: BusinessCentralHandle) -> None:
    client = BusinessCentral(connection(bc))
    client.companies()
    waited: list[float] = []

    def ask() -> None:
        for _ in range(10):
            try:
                client.companies()
            except MustWait as wait:
                waited.append(wait.seconds)

    bc.control("latency", ms=30)
    bc.reset()
    try:
        in_threads(8, ask)
    finally:
        bc.control("latency", ms=0)
    assert bc.counts()["peaks"]["requests"] <= 5
    assert client.calls["companies"] == 81 - len(waited)


# Answers that BC should never give

ROW = '{"number":"%s","displayName":"","type":"Inventory","blocked":false,"inventory":1}'


def read_from(
    bc: BusinessCentralHandle, *pages: str, act: Callable[[BusinessCentral], object]
) -> RemoteError:
    """The error of `act` against a server that gives these pages; `HERE` in them is its address."""

    def behave(peer: Peer) -> None:
        for page in pages:
            peer.sendall(answer(page.replace("HERE", address).encode()))
            read_request(peer)

    with raw_server(behave) as address, pytest.raises(RemoteError) as caught:
        act(BusinessCentral(connection(bc, api_url=f"http://{address}/api")))
    return caught.value


def test_items_that_were_not_asked_for_are_a_bad_answer(bc: BusinessCentralHandle) -> None:
    page = f'{{"value":[{ROW % "A"},{ROW % "OTHER"}]}}'
    error = read_from(bc, page, act=lambda client: client.read_chain(["A", "B"]))
    assert (type(error), error.code) == (BadAnswer, "unasked_key")


def test_the_same_item_on_two_pages_is_a_bad_answer(bc: BusinessCentralHandle) -> None:
    first = f'{{"value":[{ROW % "A"}],"@odata.nextLink":"http://HERE/api/2"}}'
    error = read_from(bc, first, f'{{"value":[{ROW % "A"}]}}', act=lambda client: client.read_chain(["A"]))
    assert (type(error), error.code) == (BadAnswer, "duplicate_key")


def test_pages_that_lead_in_a_circle_are_a_bad_answer(bc: BusinessCentralHandle) -> None:
    circle = '{"value":[],"@odata.nextLink":"http://HERE/api/2"}'
    error = read_from(bc, circle, circle, circle, act=lambda client: client.read_chain(["A"]))
    assert (type(error), error.code) == (BadAnswer, "repeated_page")


def test_a_page_of_a_scan_that_leads_to_itself_is_a_bad_answer(bc: BusinessCentralHandle) -> None:
    circle = '{"value":[],"@odata.nextLink":"http://HERE/api/2"}'
    error = read_from(bc, circle, circle, act=lambda client: client.scan(client.scan().next_link))
    assert (type(error), error.code) == (BadAnswer, "repeated_page")


def test_a_next_page_on_another_host_is_not_followed(bc: BusinessCentralHandle) -> None:
    away = '{"value":[],"@odata.nextLink":"http://evil.example/api/2"}'
    error = read_from(bc, away, act=lambda client: client.read_chain(["A"]))
    assert (type(error), error.code) == (BadAnswer, "other_origin")


@pytest.mark.parametrize("status", ["409 Conflict", "400 Bad Request"])
def test_a_deadlock_is_worth_another_try(bc: BusinessCentralHandle, status: str) -> None:
    body = b'{"error":{"code":"Application_DialogException","message":"It was deadlocked with another"}}'
    with raw_server(says(answer(body, status))) as address:
        client = BusinessCentral(connection(bc, api_url=f"http://{address}"))
        with pytest.raises(Unavailable) as caught:
            client.scan()
    assert caught.value.code == "Application_DialogException"
    assert not caught.value.permanent


# Tokens


def test_eight_threads_fetch_one_token(bc: BusinessCentralHandle) -> None:
    client = BusinessCentral(connection(bc))
    in_threads(8, client.companies)
    assert client.calls == {"token": 1, "companies": 8}


def test_another_process_uses_the_same_token(client: BusinessCentral, bc: BusinessCentralHandle) -> None:
    client.companies()
    _companies_in_another_process(bc)
    assert sum(count for route, count in bc.calls().items() if "token" in route) == 1


def test_the_token_in_redis_is_encrypted_and_ends_before_microsofts(
    client: BusinessCentral, environment: dict[str, str]
) -> None:
    client.companies()
    ((key, value, left),) = _stored_tokens(environment)
    (token,) = tokens._tokens.values()
    assert token.text not in value
    assert client.company.client_secret not in key + value
    assert 3000 < left <= 3300


def test_a_revoked_token_is_fetched_once_more_and_the_read_tried_again(
    client: BusinessCentral, bc: BusinessCentralHandle
) -> None:
    client.companies()
    bc.revoke_tokens()
    assert len(client.companies()) == 2
    assert client.calls == {"token": 2, "companies": 3}


def test_a_token_that_another_worker_fetched_since_is_not_dropped(bc: BusinessCentralHandle) -> None:
    client = BusinessCentral(connection(bc))
    client.companies()
    (old,) = tokens._tokens.values()
    client._tokens.drop(old.text)
    new = client._tokens.get()
    client._tokens.drop(old.text)
    assert client._tokens.get() == new
    tokens._tokens.clear()
    assert client._tokens.get() == new, "nor in Redis"


def test_a_second_401_is_a_matter_for_a_person(client: BusinessCentral, bc: BusinessCentralHandle) -> None:
    client.fetch_token()
    bc.set_faults(rules=[{"kind": "token_revoked", "route": "GET */items", "count": 2}])
    with pytest.raises(AuthenticationRefused) as caught:
        client.scan()
    assert caught.value.permanent
    assert client.calls["items"] == 2


def test_without_redis_a_process_fetches_its_own_token(
    bc: BusinessCentralHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    config.settings.cache_clear()
    client = BusinessCentral(connection(bc))
    client.companies()
    client.companies()
    bc.revoke_tokens()
    client.companies()
    assert client.calls == {"token": 2, "companies": 4}


def test_a_token_that_no_key_decrypts_is_fetched_anew(
    client: BusinessCentral, environment: dict[str, str], bc: BusinessCentralHandle
) -> None:
    client.companies()
    ((key, _, _),) = _stored_tokens(environment)
    with redis.Redis.from_url(environment["REDIS_URL"]) as valkey:
        valkey.set(key, "not ours", keepttl=True)
    tokens._tokens.clear()
    assert len(client.companies()) == 2


# What a person is told


def checked(bc: BusinessCentralHandle, **changes: Any) -> list[tuple[str, bool, str | None]]:
    results = BusinessCentral(connection(bc, **changes)).check()
    for result in results:
        assert "\n" not in result.message
        assert bc.client_secret not in result.message
    return [(result.name, result.ok, result.field) for result in results]


def last_message(bc: BusinessCentralHandle, **changes: Any) -> str:
    return BusinessCentral(connection(bc, **changes)).check()[-1].message


def test_a_right_connection_passes_every_step(bc: BusinessCentralHandle) -> None:
    assert checked(bc) == [("token", True, None), ("company", True, None), ("items", True, None)]
    assert last_message(bc) == f"{len(bc.stock())} items can be read"


def test_a_wrong_secret_is_named_even_while_an_old_token_is_good(bc: BusinessCentralHandle) -> None:
    BusinessCentral(connection(bc)).companies()
    assert checked(bc, client_secret="wrong") == [("token", False, "client_secret")]
    assert "AADSTS7000215" in last_message(bc, client_secret="wrong")


def test_an_unknown_app_is_named(bc: BusinessCentralHandle) -> None:
    assert checked(bc, client_id="4d9a0b6e-0000-4000-8000-000000000000") == [("token", False, "client_id")]


def test_a_wrong_tenant_is_named(bc: BusinessCentralHandle) -> None:
    url = bc.token_url.replace(bc.tenant_id, "other-tenant")
    assert checked(bc, token_url=url) == [("token", False, "tenant_id")]


def test_a_wrong_environment_is_named(bc: BusinessCentralHandle) -> None:
    url = bc.api_url.replace(bc.environment, "Sandbox9")
    assert checked(bc, api_url=url) == [("token", True, None), ("company", False, "environment")]


def test_a_company_that_does_not_exist_is_answered_with_those_that_do(bc: BusinessCentralHandle) -> None:
    wrong = "00000000-0000-4000-8000-000000000000"
    assert checked(bc, company_id=wrong)[-1] == ("company", False, "company_id")
    message = last_message(bc, company_id=wrong)
    assert f"CRONUS ({bc.company_id})" in message
    assert "EMPTY" in message


def test_an_address_that_nobody_listens_on_is_named(bc: BusinessCentralHandle) -> None:
    assert checked(bc, token_url="http://127.0.0.1:1/x") == [("token", False, "token_url")]
    assert checked(bc, api_url="http://127.0.0.1:1/x")[-1] == ("company", False, "api_url")


def test_a_name_that_does_not_resolve_is_named(bc: BusinessCentralHandle) -> None:
    assert checked(bc, api_url="http://nowhere.invalid/x")[-1] == ("company", False, "api_url")
    assert "DNS" in last_message(bc, api_url="http://nowhere.invalid/x")


def test_tls_that_is_not_spoken_is_named(bc: BusinessCentralHandle) -> None:
    with raw_server(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), read_first=False) as address:
        url = f"https://{address}/api"
        assert checked(bc, api_url=url)[-1] == ("company", False, "api_url")
        assert "TLS" in last_message(bc, api_url=url)


def test_an_expired_secret_is_named(bc: BusinessCentralHandle) -> None:
    bc.control("configure", secret_expired=True)
    try:
        assert checked(bc) == [("token", False, "client_secret")]
        assert "expired" in last_message(bc)
    finally:
        bc.control("configure", secret_expired=False)


def test_a_redirect_is_told_and_not_followed(bc: BusinessCentralHandle) -> None:
    moved = answer(b"", "301 Moved", "Location: https://new.example/api?key=1")
    with raw_server(says(moved)) as address:
        assert checked(bc, api_url=f"http://{address}/api")[-1] == ("company", False, "api_url")
        message = last_message(bc, api_url=f"http://{address}/api")
    assert "https://new.example/api" in message
    assert "key=1" not in message


def test_an_app_that_business_central_does_not_know_is_told_where_to_be_entered(
    bc: BusinessCentralHandle,
) -> None:
    bc.set_faults(rules=[{"kind": "token_revoked", "route": "GET /companies", "count": 2}])
    assert checked(bc)[-1] == ("company", False, "client_id")


def test_a_missing_permission_is_named(bc: BusinessCentralHandle) -> None:
    bc.control("configure", permitted=False)
    try:
        assert checked(bc)[-1] == ("company", False, "client_id")
        with pytest.raises(ScopeMissing):
            BusinessCentral(connection(bc)).scan()
    finally:
        bc.control("configure", permitted=True)


def test_a_company_that_went_away_is_not_found(bc: BusinessCentralHandle) -> None:
    with pytest.raises(NotFound) as caught:
        BusinessCentral(connection(bc, company_id="00000000-0000-4000-8000-000000000000")).scan()
    assert caught.value.code == "Internal_CompanyNotFound"
    assert "CorrelationId" not in str(caught.value)


def test_microsofts_addresses_are_the_default() -> None:
    plain = CompanyConnection(1, "contoso.com", "Production EU", "guid", "id", "secret")
    assert plain.token_endpoint == "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
    assert (
        plain.api_base == "https://api.businesscentral.dynamics.com/v2.0/contoso.com/Production%20EU/api/v2.0"
    )
    assert "secret" not in repr(plain)


def in_threads(count: int, act: Callable[[], object]) -> None:
    """Do it in so many threads at once; one that finds no free slot comes again, as its job would."""

    def patiently() -> None:
        while True:
            try:
                act()
                return
            except MustWait as error:
                time.sleep(error.seconds)

    threads = [threading.Thread(target=patiently) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _stored_tokens(environment: dict[str, str]) -> list[tuple[str, str, int]]:
    with redis.Redis.from_url(environment["REDIS_URL"], decode_responses=True) as valkey:
        keys = [key for key in valkey.keys("inventory-sync:token:*") if not key.endswith(":lock")]
        return [(key, valkey.get(key) or "", valkey.ttl(key)) for key in keys]


def _companies_in_another_process(bc: BusinessCentralHandle) -> None:
    arguments = ", ".join(
        f"{name}={getattr(bc, name)!r}"
        for name in (
            "tenant_id",
            "environment",
            "company_id",
            "client_id",
            "client_secret",
            "api_url",
            "token_url",
        )
    )
    code = (
        "from workers.clients.business_central import BusinessCentral, CompanyConnection\n"
        f"client = BusinessCentral(CompanyConnection(id=1, {arguments}))\n"
        "client.companies()\n"
        "assert client.calls == {'companies': 1}, client.calls\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
