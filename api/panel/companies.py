"""The Business Central companies whose stock the shops show: added, changed, tried, deleted."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs
from api.panel import asked
from api.panel.look import errors_of, go, page
from api.rest import lists, routes
from models.company import DEFAULT_API_URL, DEFAULT_TOKEN_URL, Company
from models.database import session
from workers import companies, connection_test
from workers.companies import CompanyChange, NewCompany
from workers.errors import Conflict, InvalidFields
from workers.forms import parse

FIELDS = ("name", "tenant_id", "environment", "company_id", "client_id")
URLS = {"api_url": DEFAULT_API_URL, "token_url": DEFAULT_TOKEN_URL}
SECRET = "client_secret"  # noqa: S105 - a field's name


def blueprint() -> Blueprint:
    """`/companies`, and what is done to one."""
    pages = Blueprint("companies", __name__)
    one = f"/companies{routes.row_path('company_id')}"
    pages.get("/companies")(show_all)
    pages.get("/companies/new")(new)
    pages.post("/companies/new")(create)
    pages.get(f"{one}/edit")(edit)
    pages.post(f"{one}/edit")(change)
    pages.post(f"{one}/test")(test)
    pages.post(f"{one}/delete")(delete)
    return pages


@needs("read")
def show_all() -> Response:
    """The companies, oldest first."""
    after = asked.cursor("panel-companies", [int])
    with session():
        found = companies.listed(after=after[0] if after else 0, most=asked.PAGE + 1)
        shown, following = lists.page("panel-companies", found, asked.PAGE, lambda one: [one.id])
        return page(
            "companies.html",
            title="Companies",
            companies=shown,
            sites=companies.site_counts([one.id for one in shown]),
            next=following,
        )


@needs("admin")
def new() -> Response:
    """The form for a company to add."""
    return _form(None, {})


@needs("admin")
def create() -> Response:
    """Add a company."""
    values = _typed()
    audit.note(fields=sorted(values))
    try:
        made = companies.create(parse(NewCompany, values))
    except (InvalidFields, Conflict) as error:
        return _again(None, error)
    audit.note(subject=f"company {made.id}", name=made.name)
    return go(url_for("panel.companies.show_all"), f"{made.name} is added: test it, then add its shops.")


@needs("admin")
def edit(company_id: int) -> Response:
    """The form for a company that is there."""
    company = companies.get(company_id)
    return _form(company, _shown(company))


@needs("admin")
def change(company_id: int) -> Response:
    """Change what differs; the secret stays where it was left empty."""
    company = companies.get(company_id)
    before = _shown(company)
    values = {
        name: value for name, value in _typed().items() if name == SECRET or (value or "") != before[name]
    }
    audit.note(fields=sorted(values))
    if not values:
        return go(url_for("panel.companies.show_all"), f"Nothing of {company.name} was changed.", "quiet")
    try:
        changed = companies.change(company_id, parse(CompanyChange, values))
    except (InvalidFields, Conflict) as error:
        return _again(company, error)
    return go(url_for("panel.companies.show_all"), f"{changed.name} is changed.")


@needs("admin")
def test(company_id: int) -> Response:
    """Really ask Business Central, and show each finding."""
    company = companies.get(company_id)
    checks = connection_test.test_company(company)
    audit.note(ok=all(check.ok for check in checks))
    return page(
        "checks.html",
        title=f"Test of {company.name}",
        checks=checks,
        verdict=connection_test.verdict(checks),
        edit=url_for("panel.companies.edit", company_id=company_id),
        back=url_for("panel.companies.show_all"),
    )


@needs("admin")
def delete(company_id: int) -> Response:
    """Delete a company that no site uses."""
    name = companies.get(company_id).name
    audit.note(name=name)
    companies.delete(company_id)
    return go(url_for("panel.companies.show_all"), f"{name} is deleted.")


def _typed() -> dict[str, str | None]:
    """What was typed: an empty secret keeps what is there, an empty URL follows tenant and environment."""
    form = request.form
    values: dict[str, str | None] = {name: form.get(name, "").strip() for name in FIELDS}
    values |= {name: form.get(name, "").strip() or None for name in URLS}
    if secret := form.get(SECRET):
        values[SECRET] = secret
    return values


def _shown(company: Company) -> dict[str, str]:
    """What a form shows of a company; a URL that follows by default stays empty."""
    values = {name: getattr(company, name) for name in FIELDS}
    for name, template in URLS.items():
        default = template.format(tenant_id=company.tenant_id, environment=company.environment)
        values[name] = "" if getattr(company, name) == default else getattr(company, name)
    return values


def _again(company: Company | None, error: InvalidFields | Conflict) -> Response:
    values = {name: request.form.get(name, "") for name in (*FIELDS, *URLS)}
    return _form(company, values, 422 if isinstance(error, InvalidFields) else 409, errors_of(error))


def _form(
    company: Company | None,
    values: dict[str, Any],
    status: int = 200,
    errors: dict[str, str] | None = None,
) -> Response:
    return page(
        "company_form.html",
        status,
        title=f"Change {company.name}" if company else "Add a company",
        company=company,
        values=values,
        errors=errors or {},
        secret_set=company is not None and company.client_secret is not None,
    )
