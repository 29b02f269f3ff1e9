"""Companies in the panel: added, changed, tried and deleted by forms, their secret never shown."""

from __future__ import annotations

from typing import Any

import pytest

from models.company import Company
from models.database import execute, row, rows, session
from tests.integration.panel.conftest import Person

SECRET = "canary-client-secret"
TYPED = {
    "name": "Contoso",
    "tenant_id": "contoso.onmicrosoft.com",
    "environment": "Production",
    "company_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "client_id": "app",
    "client_secret": SECRET,
}


def _add(admin: Person, **changes: str) -> Any:
    admin.get("/companies/new")
    return admin.post("/companies/new", **{**TYPED, **changes})


def _stored() -> Company:
    with session():
        found: Company = Company.get()
    return found


def test_where_there_is_none_the_page_says_what_a_company_is_for(admin: Person, viewer: Person) -> None:
    assert "where stock comes from" in admin.text("/companies")
    assert "Add a company" in admin.text("/companies")
    assert "Add a company" not in viewer.text("/companies")


def test_a_company_is_added_with_microsofts_addresses_and_its_secret_is_never_shown(admin: Person) -> None:
    answer = _add(admin)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/companies")
    company = _stored()
    assert company.token_url == "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
    assert company.client_secret is not None
    page = admin.text("/companies")
    assert "Contoso is added" in page
    for shown in (page, admin.text(f"/companies/{company.id}/edit")):
        assert "Contoso" in shown
        assert SECRET not in shown
    assert SECRET not in str(rows("SELECT * FROM rm_audit_log"))
    assert row("SELECT detail -> 'fields' FROM rm_audit_log WHERE action = 'companies.create'") == (
        sorted([*TYPED, "api_url", "token_url"]),
    )


def test_what_is_wrong_stands_under_its_field_and_nothing_is_stored(admin: Person) -> None:
    answer = _add(admin, name="", company_id="seven", api_url="ftp://nowhere")

    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "must not be empty" in page
    assert "must be a GUID" in page
    assert 'value="contoso.onmicrosoft.com"' in page, "what was right need not be typed again"
    assert SECRET not in page
    assert rows("SELECT 1 FROM rm_companies") == []
    assert row("SELECT outcome FROM rm_audit_log WHERE action = 'companies.create'") == ("refused",)


def test_a_name_that_is_taken_is_told_under_the_name(admin: Person) -> None:
    _add(admin)
    answer = _add(admin)

    assert answer.status_code == 409
    assert "another company has this name" in answer.get_data(as_text=True)


def test_a_change_leaves_the_secret_that_was_left_empty_and_what_was_not_touched(admin: Person) -> None:
    _add(admin)
    before = _stored()
    address = f"/companies/{before.id}/edit"

    admin.get(address)
    answer = admin.post(address, **{**TYPED, "environment": "Sandbox", "client_secret": ""})

    assert answer.status_code == 303
    after = _stored()
    assert after.environment == "Sandbox"
    assert "/Sandbox/" in after.api_url, "an address that was never given follows"
    assert (before.client_secret, after.client_secret) != (None, None)
    assert after.client_secret is not None
    assert after.client_secret.reveal() == SECRET
    assert row("SELECT detail -> 'fields' FROM rm_audit_log WHERE action = 'companies.change'") == (
        ["environment"],
    )
    admin.post(address, **{**TYPED, "environment": "Sandbox", "client_secret": "another"})
    changed = _stored().client_secret
    assert changed is not None
    assert changed.reveal() == "another"


def test_the_same_again_changes_nothing_and_says_so(admin: Person) -> None:
    _add(admin)
    before = _stored()
    admin.post(f"/companies/{before.id}/edit", **{**TYPED, "client_secret": ""})

    assert "Nothing of Contoso was changed" in admin.text("/companies")
    assert _stored().updated_at == before.updated_at


def test_what_no_field_is_at_fault_for_stands_above_them(admin: Person) -> None:
    _add(admin)
    company = _stored()
    execute("INSERT INTO rm_stock_refreshes (company_id, status) VALUES (%s, 'reading')", (company.id,))

    another = {**TYPED, "company_id": "00000000-0000-0000-0000-000000000001", "client_secret": ""}
    answer = admin.post(f"/companies/{company.id}/edit", **another)

    assert answer.status_code == 409
    assert ">Stock is being read from this company right now" in answer.get_data(as_text=True)
    assert _stored().company_id == TYPED["company_id"]


def test_a_company_is_tried_and_each_finding_is_shown(admin: Person, owner: Company) -> None:
    answer = admin.post(f"/companies/{owner.id}/test")

    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "All 3 checks passed." in page
    for name in ("token", "company", "items"):
        assert f"<strong>{name}</strong>" in page

    with session():
        Company.update(client_secret="wrong").execute()
    page = admin.post(f"/companies/{owner.id}/test").get_data(as_text=True)
    assert "client secret" in page
    assert f'href="/companies/{owner.id}/edit"' in page


def test_a_company_that_sites_use_is_not_deleted_and_another_is(admin: Person) -> None:
    _add(admin)
    company = _stored()
    execute(
        "INSERT INTO rm_sites (name, platform, company_id, store_key) VALUES ('S', 'bigcommerce', %s, 'b:s')",
        (company.id,),
    )

    refused = admin.post(f"/companies/{company.id}/delete")
    assert refused.status_code == 409
    assert "Sites still use this company" in refused.get_data(as_text=True)

    execute("DELETE FROM rm_sites")
    assert admin.post(f"/companies/{company.id}/delete").status_code == 303
    assert rows("SELECT 1 FROM rm_companies") == []
    assert admin.get(f"/companies/{company.id}/edit").status_code == 404


def test_companies_come_a_page_at_a_time(viewer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.panel.asked.PAGE", 2)
    execute(
        "INSERT INTO rm_companies (name, tenant_id, environment, company_id, client_id, api_url, token_url)"
        " SELECT 'Company ' || n, 't', 'e', 'c', 'x', 'u', 'u' FROM generate_series(1, 3) n"
    )

    first = viewer.text("/companies")
    assert ("Company 2" in first, "Company 3" in first) == (True, False)
    following = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    assert "Company 3" in viewer.text(following)
