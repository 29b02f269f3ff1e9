"""Forms: all faults at once, under the names that a user typed, and never the input."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.companies import CompanyChange, NewCompany
from workers.errors import InvalidFields
from workers.forms import parse
from workers.site_forms import NewSite, SiteChange

CANARY = "canary7f3a"
texts = st.text().map(lambda text: CANARY + text)
values = st.recursive(
    texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
FIELDS = sorted({*NewCompany.model_fields, *SiteChange.model_fields} - {"name", "client_id"})


def _faults(form: type[Any], given_values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidFields) as caught:
        parse(form, given_values)
    return {error.field: error.message for error in caught.value.errors}


@pytest.mark.parametrize("form", [NewCompany, CompanyChange, NewSite, SiteChange])
def test_no_fault_repeats_the_input(form: type[Any]) -> None:
    @given(
        st.dictionaries(st.sampled_from(FIELDS), values, min_size=1), st.sampled_from([CANARY, "bigcommerce"])
    )
    def fuzz(body: dict[str, Any], platform: str) -> None:
        with pytest.raises(InvalidFields) as caught:
            parse(form, {**body, "platform": platform, "safety_stock": CANARY})
        assert CANARY not in str(caught.value)
        assert all(error.field for error in caught.value.errors)

    fuzz()


def test_an_unknown_field_is_named_unless_its_name_could_be_anything() -> None:
    assert "saftey_stock" in _faults(SiteChange, {"saftey_stock": 1})
    assert list(_faults(SiteChange, {"a secret, typed into the wrong place": 1})) == ["body"]
    assert list(_faults(SiteChange, {"x" * 41: 1})) == ["body"]


def test_null_clears_only_what_may_be_cleared() -> None:
    change = parse(SiteChange, {"webhook_secret": None, "location_id": None})
    assert change.given() == {"webhook_secret": None, "location_id": None}
    assert set(_faults(SiteChange, {"name": None, "channel_ids": None, "safety_stock": None})) == {
        "name", "channel_ids", "safety_stock",
    }  # fmt: skip


def test_what_was_left_out_is_not_given() -> None:
    assert parse(CompanyChange, {}).given() == {}
    assert parse(CompanyChange, {"name": " New "}).given() == {"name": "New"}


def test_a_form_does_not_show_its_secrets() -> None:
    form = parse(CompanyChange, {"client_secret": CANARY})

    assert CANARY not in repr(form)
    assert form.given() == {"client_secret": CANARY}


@pytest.mark.parametrize(
    "tenant", ["contoso.com", "a.onmicrosoft.com", "3F2504E0-4f89-41d3-9a0c-0305e82c3301"]
)
def test_a_tenant_is_a_guid_or_a_domain(tenant: str) -> None:
    assert parse(CompanyChange, {"tenant_id": tenant}).tenant_id == tenant.lower()


@pytest.mark.parametrize(
    "tenant", ["contoso", "con toso.com", "-a.com", "a..com", "a/b.com", "x" * 64 + ".com"]
)
def test_other_tenants_are_refused(tenant: str) -> None:
    assert list(_faults(CompanyChange, {"tenant_id": tenant})) == ["tenant_id"]
