"""A web process without a network: Flask's test client on real PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from models.company import Company
from models.site import Site
from tests.integration.api.bodies import bigcommerce, company, woocommerce
from workers import companies, sites, tokens
from workers.forms import parse
from workers.site_forms import NewSite


class Caller:
    """A client with a token (or none), under /api/v1 unless the path begins elsewhere."""

    def __init__(self, client: FlaskClient, scope: str | None) -> None:
        self._client = client
        self.token = tokens.create(f"{scope} token", scope)[1] if scope else None

    def __call__(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        full = path if path.startswith("/") else f"/api/v1/{path}"
        return self._client.open(full, method=method, headers=headers, **options)

    def get(self, path: str, **query: Any) -> TestResponse:
        return self("GET", path, query_string=query)

    def post(self, path: str, body: Any = None) -> TestResponse:
        return self("POST", path, json=body) if body is not None else self("POST", path)

    def patch(self, path: str, body: Any) -> TestResponse:
        return self("PATCH", path, json=body)

    def delete(self, path: str) -> TestResponse:
        return self("DELETE", path)


@pytest.fixture
def app(database: str) -> Flask:
    return create_app()


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


@pytest.fixture
def admin(client: FlaskClient) -> Caller:
    return Caller(client, "admin")


@pytest.fixture
def syncer(client: FlaskClient) -> Caller:
    return Caller(client, "sync")


@pytest.fixture
def reader(client: FlaskClient) -> Caller:
    return Caller(client, "read")


@pytest.fixture
def stranger(client: FlaskClient) -> Caller:
    return Caller(client, None)


@pytest.fixture
def owner(database: str) -> Company:
    """A company to sell the stock of."""
    return companies.create(parse(companies.NewCompany, company(name="Owner")))


@pytest.fixture
def store(owner: Company) -> Site:
    """An inactive BigCommerce site."""
    form = parse(NewSite, bigcommerce(owner.id, name="Store", active=False))
    return sites.create(form, requested_by="test")


@pytest.fixture
def shop(owner: Company) -> Site:
    """An inactive WooCommerce site."""
    form = parse(NewSite, woocommerce(owner.id, name="Shop", active=False))
    return sites.create(form, requested_by="test")
