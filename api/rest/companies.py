"""`/api/v1/companies`: the Business Central companies."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel

from api.rest import lists, routes
from api.rest.checks import Report, report
from api.rest.lists import Answer, ListQuery, Moment, Page
from models.company import Company
from workers import companies, connection_test
from workers.companies import CompanyChange, NewCompany


class CompanyPath(BaseModel):
    """Which company."""

    company_id: int


class CompanyAnswer(Answer):
    """A company. The secret is write-only: `client_secret_set` says whether there is one."""

    id: int
    name: str
    tenant_id: str
    environment: str
    company_id: str
    client_id: str
    client_secret_set: bool
    api_url: str
    token_url: str
    created_at: Moment
    updated_at: Moment


class CompanyList(Page):
    """Companies, oldest first."""

    items: list[CompanyAnswer]


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("companies", "The Business Central companies whose stock is the truth.")
    one = routes.row_path("company_id")
    routes.route(api, "GET", "", scope="read", answer=CompanyList)(list_companies)
    routes.route(api, "POST", "", scope="admin", answer=CompanyAnswer, status=201, errors=[409])(create)
    routes.route(api, "GET", one, scope="read", answer=CompanyAnswer)(get)
    routes.route(api, "PATCH", one, scope="admin", answer=CompanyAnswer, errors=[409])(change)
    routes.route(api, "DELETE", one, scope="admin", errors=[409])(delete)
    routes.route(api, "POST", f"{one}/test", scope="admin", answer=Report)(test)
    return api


def list_companies(query: ListQuery) -> CompanyList:
    """List the companies."""
    after = lists.decode(query.cursor, "companies", [int])
    found = companies.listed(after=after[0] if after else 0, most=query.limit + 1)
    found, following = lists.page("companies", found, query.limit, lambda company: [company.id])
    return CompanyList(items=[_answer(company) for company in found], next=following)


def create(body: NewCompany) -> CompanyAnswer:
    """Add a company.

    The URLs follow from the tenant and the environment unless they are given.
    """
    return _answer(companies.create(body))


def get(path: CompanyPath) -> CompanyAnswer:
    """One company."""
    return _answer(companies.get(path.company_id))


def change(path: CompanyPath, body: CompanyChange) -> CompanyAnswer:
    """Change a company.

    What is left out stays; null clears the secret and takes a URL back to its default.
    """
    return _answer(companies.change(path.company_id, body))


def delete(path: CompanyPath) -> None:
    """Delete a company that no site uses."""
    companies.delete(path.company_id)


def test(path: CompanyPath) -> Report:
    """Try the company's credentials.

    Really asks Business Central for a token, the company and its items.
    """
    return report(connection_test.test_company(companies.get(path.company_id)))


def _answer(company: Company) -> CompanyAnswer:
    values = {
        name: getattr(company, name) for name in CompanyAnswer.model_fields if name != "client_secret_set"
    }
    return CompanyAnswer(**values, client_secret_set=company.client_secret is not None)
