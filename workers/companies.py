"""Business Central companies: made, changed and deleted, for REST and the command line alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import IntegrityError, fn

from models.company import DEFAULT_API_URL, DEFAULT_TOKEN_URL, Company
from models.database import execute, row, rows, session, transaction
from workers.errors import Conflict, FieldError, InvalidFields, UnknownRecord
from workers.forms import Environment, Form, Guid, Line, Name, SecretText, Tenant, Url, collect_url, left_out


class NewCompany(Form):
    """All that a company is made of. The two URLs follow the tenant and environment unless they are given."""

    name: Name
    tenant_id: Tenant
    environment: Environment
    company_id: Guid
    client_id: Line
    client_secret: SecretText
    api_url: Url | None = None
    token_url: Url | None = None


class CompanyChange(Form):
    """What may change. Left out keeps; null clears the secret and takes a URL back to its default."""

    name: Name = left_out()
    tenant_id: Tenant = left_out()
    environment: Environment = left_out()
    company_id: Guid = left_out()
    client_id: Line = left_out()
    client_secret: SecretText | None = left_out()
    api_url: Url | None = left_out()
    token_url: Url | None = left_out()


_WHERE_STOCK_COMES_FROM = ("company_id", "api_url")


def get(company_id: int) -> Company:
    """One company. Raises UnknownRecord."""
    with session():
        found: Company | None = Company.get_or_none(Company.id == company_id)
    if found is None:
        raise UnknownRecord("company")
    return found


def listed(*, after: int = 0, most: int) -> list[Company]:
    """The companies, oldest first. after: only those made after this one."""
    with session():
        return list(Company.select().where(Company.id > after).order_by(Company.id).limit(most))


def site_counts(company_ids: Sequence[int]) -> dict[int, int]:
    """How many sites each of these companies has; those without are absent."""
    found = rows(
        "SELECT company_id, count(*) FROM rm_sites WHERE company_id = ANY (%s) GROUP BY 1",
        (list(company_ids),),
    )
    return dict(found)


def create(form: NewCompany) -> Company:
    """Store a company. Raises InvalidFields, Conflict (`name_taken`)."""
    values = form.given()
    values["api_url"] = _url(form.api_url) or _default(DEFAULT_API_URL, values)
    values["token_url"] = _url(form.token_url) or _default(DEFAULT_TOKEN_URL, values)
    _check_urls(values)
    try:
        with transaction():
            return get(Company.insert(**values).execute())
    except IntegrityError:
        raise _name_taken() from None


def change(company_id: int, form: CompanyChange) -> Company:
    """Change what was given. Raises UnknownRecord, InvalidFields, Conflict."""
    try:
        with transaction():
            company = _locked(company_id)
            values = _with_urls(company, form.given())
            _check_urls(values)
            if any(values.get(name, getattr(company, name)) != getattr(company, name)
                   for name in _WHERE_STOCK_COMES_FROM):  # fmt: skip
                _forget_stock(company_id)
                values["item_count"] = None
            if values:
                Company.update(**values, updated_at=fn.now()).where(Company.id == company_id).execute()
            return get(company_id)
    except IntegrityError:
        raise _name_taken() from None


def delete(company_id: int) -> None:
    """Delete a company that no site uses. Raises UnknownRecord, Conflict (`company_has_sites`)."""
    try:
        with transaction():
            _locked(company_id)
            execute("DELETE FROM rm_companies WHERE id = %s", (company_id,))
    except IntegrityError:  # the foreign key decides, so a site made at this very moment counts too
        raise Conflict(
            "company_has_sites",
            "sites still use this company, or are being deleted: give them another one, or wait",
        ) from None


def _locked(company_id: int) -> Company:
    # NO KEY: a site that only refers to the company must not wait for it.
    if row("SELECT 1 FROM rm_companies WHERE id = %s FOR NO KEY UPDATE", (company_id,)) is None:
        raise UnknownRecord("company")
    return get(company_id)


def _with_urls(company: Company, given: dict[str, Any]) -> dict[str, Any]:
    """The changes, with URLs that were never given following the new tenant and environment."""
    before = {"tenant_id": company.tenant_id, "environment": company.environment}
    after = {name: given.get(name, value) for name, value in before.items()}
    for name, template in (("api_url", DEFAULT_API_URL), ("token_url", DEFAULT_TOKEN_URL)):
        if name in given:
            given[name] = _url(given[name]) or _default(template, after)
        elif getattr(company, name) == _default(template, before):
            given[name] = _default(template, after)
    return given


def _default(template: str, values: dict[str, Any]) -> str:
    return template.format(tenant_id=values["tenant_id"], environment=values["environment"])


def _url(url: str | None) -> str | None:
    return url.rstrip("/") if url else None


def _check_urls(values: dict[str, Any]) -> None:
    errors: list[FieldError] = []
    collect_url(values.get("api_url"), "api_url", errors)
    collect_url(values.get("token_url"), "token_url", errors)
    if errors:
        raise InvalidFields(errors)


def _forget_stock(company_id: int) -> None:
    """What was read from another company is not this one's stock."""
    if row("SELECT 1 FROM rm_stock_refreshes WHERE company_id = %s AND status = 'reading'", (company_id,)):
        raise Conflict(
            "stock_is_being_read", "stock is being read from this company right now: change it once that ends"
        )
    execute("DELETE FROM rm_stock WHERE company_id = %s", (company_id,))


def _name_taken() -> Conflict:
    return Conflict("name_taken", "another company has this name", field="name")
