"""Companies over REST: made, changed and deleted by the rules."""

from __future__ import annotations

from typing import Any

import pytest

from models.company import Company
from models.database import execute, rows, session
from models.site import Site
from tests.integration.api.bodies import COMPANY_ID, SECRETS, company, faults, refused
from tests.integration.api.conftest import Caller

LONG = "x" * 201


def test_a_company_is_made_shown_and_listed_without_its_secret(admin: Caller, reader: Caller) -> None:
    made = admin.post("companies", company())

    assert made.status_code == 201
    shown = made.get_json()
    assert shown["name"] == "Contoso"
    assert isinstance(shown["id"], int)
    assert shown["client_secret_set"] is True
    assert "client_secret" not in shown
    assert shown["created_at"].endswith("Z")
    assert reader.get(f"companies/{shown['id']}").get_json() == shown
    assert reader.get("companies").get_json() == {"items": [shown], "next": None}


def test_its_addresses_follow_from_tenant_and_environment(admin: Caller) -> None:
    made = admin.post("companies", company()).get_json()

    base = "https://api.businesscentral.dynamics.com/v2.0"
    login = "https://login.microsoftonline.com"
    assert made["api_url"] == f"{base}/contoso.onmicrosoft.com/Production/api/v2.0"
    assert made["token_url"] == f"{login}/contoso.onmicrosoft.com/oauth2/v2.0/token"

    changed = admin.patch(f"companies/{made['id']}", {"environment": "Sandbox"}).get_json()
    assert changed["api_url"] == f"{base}/contoso.onmicrosoft.com/Sandbox/api/v2.0"


def test_an_address_that_was_given_stays_until_null_takes_it_back(admin: Caller) -> None:
    given = "https://bc.example.com:7048/BC/api/v2.0"
    made = admin.post("companies", company(api_url=given + "/")).get_json()
    assert made["api_url"] == given

    changed = admin.patch(f"companies/{made['id']}", {"environment": "Sandbox"}).get_json()
    assert changed["api_url"] == given

    reset = admin.patch(f"companies/{made['id']}", {"api_url": None}).get_json()
    assert reset["api_url"].endswith("/contoso.onmicrosoft.com/Sandbox/api/v2.0")


def test_the_secret_is_encrypted_at_rest_kept_when_left_out_and_cleared_by_null(
    admin: Caller, owner: Company
) -> None:
    (stored,) = rows("SELECT client_secret FROM rm_companies")[0]
    assert SECRETS["client_secret"] not in stored

    admin.patch(f"companies/{owner.id}", {"name": "Renamed"})
    with session():
        kept = Company.get_by_id(owner.id).client_secret
    assert kept.reveal() == SECRETS["client_secret"]

    cleared = admin.patch(f"companies/{owner.id}", {"client_secret": None}).get_json()
    assert cleared["client_secret_set"] is False


def test_a_pasted_secret_loses_the_newline_at_its_end(admin: Caller, owner: Company) -> None:
    admin.patch(f"companies/{owner.id}", {"client_secret": " pasted\n"})

    with session():
        assert Company.get_by_id(owner.id).client_secret.reveal() == "pasted"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "must not be empty"),
        ("name", None, "must be text"),
        ("name", LONG, "must have at most 200 characters"),
        ("name", "a\x00b", "must not contain control characters"),
        ("name", "\ud800", "must be valid text"),
        ("tenant_id", "not a tenant", "must be the tenant's GUID, or its domain such as contoso.onmicrosoft.com"),
        ("tenant_id", "../x.com", "must be the tenant's GUID, or its domain such as contoso.onmicrosoft.com"),
        ("environment", "a/b", "is not in the form that is expected here"),
        ("company_id", "CRONUS", "must be a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
        ("company_id", 5, "must be text"),
        ("client_id", " ", "must not be empty"),
        ("client_secret", "", "must not be empty"),
        ("client_secret", "two\nlines", "must not contain control characters"),
        ("api_url", "ftp://example.com", "must begin with https:// or http://"),
        ("api_url", "nonsense", "must begin with https:// or http://"),
        ("token_url", "https://", "has no host: give it as https://host/path"),
        ("token_url", "https://example.com/?a=b", "must not contain a query (?) or a fragment (#)"),
        ("api_url", "http://169.254.169.254/latest", None),
        ("hello", 1, "is not a field here"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(admin: Caller, field: str, value: Any, message: str | None) -> None:
    answer = admin.post("companies", company(**{field: value}))

    assert refused(answer, 422, "invalid_fields")
    found = faults(answer)
    assert list(found) == [field]
    assert message in (None, found[field])


@pytest.mark.parametrize(
    "field", ["name", "tenant_id", "environment", "company_id", "client_id", "client_secret"]
)
def test_what_must_be_given_is_named_when_it_is_missing(admin: Caller, field: str) -> None:
    body = company()
    del body[field]

    assert faults(admin.post("companies", body)) == {field: "is required"}


def test_private_addresses_are_refused_unless_they_are_allowed(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.config import settings

    monkeypatch.setenv("ALLOW_PRIVATE_ADDRESSES", "false")
    settings.cache_clear()

    answer = admin.post(
        "companies", company(api_url="http://127.0.0.1/api", token_url="http://10.0.0.1/token")
    )

    assert list(faults(answer)) == ["api_url", "token_url"]


def test_two_companies_of_one_name_are_a_conflict(admin: Caller, owner: Company) -> None:
    again = admin.post("companies", company(name="Owner"))
    other = admin.post("companies", company(name="Other")).get_json()
    renamed = admin.patch(f"companies/{other['id']}", {"name": "Owner"})

    for answer in (again, renamed):
        assert refused(answer, 409, "name_taken")
        assert list(faults(answer)) == ["name"]


def test_a_company_with_sites_stays(admin: Caller, store: Site) -> None:
    answer = admin.delete(f"companies/{store.company_id}")

    assert refused(answer, 409, "company_has_sites")
    assert admin.get(f"companies/{store.company_id}").status_code == 200


def test_a_company_without_sites_goes(admin: Caller, owner: Company) -> None:
    assert admin.delete(f"companies/{owner.id}").status_code == 204
    assert refused(admin.get(f"companies/{owner.id}"), 404, "unknown_company")
    assert refused(admin.delete(f"companies/{owner.id}"), 404, "unknown_company")
    assert refused(admin.patch(f"companies/{owner.id}", {}), 404, "unknown_company")


def test_stock_of_another_company_is_forgotten(admin: Caller, owner: Company) -> None:
    execute("UPDATE rm_companies SET item_count = 1")
    execute(
        "INSERT INTO rm_stock (company_id, number, key, quantity, type, read_started_at)"
        " VALUES (%s, 'A', 'A', 5, 'Inventory', now())",
        (owner.id,),
    )

    admin.patch(f"companies/{owner.id}", {"name": "Same", "company_id": COMPANY_ID.upper()})
    assert rows("SELECT number FROM rm_stock") == [("A",)]

    admin.patch(f"companies/{owner.id}", {"company_id": COMPANY_ID.replace("3", "4")})
    assert rows("SELECT number FROM rm_stock") == []
    assert rows("SELECT item_count FROM rm_companies") == [(None,)]


def test_a_company_is_not_exchanged_under_a_read_of_its_stock(admin: Caller, owner: Company) -> None:
    execute("INSERT INTO rm_stock_refreshes (company_id, status) VALUES (%s, 'reading')", (owner.id,))

    answer = admin.patch(f"companies/{owner.id}", {"environment": "Sandbox"})

    assert refused(answer, 409, "stock_is_being_read")
    assert admin.get(f"companies/{owner.id}").get_json()["environment"] == "Production"
