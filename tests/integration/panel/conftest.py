"""People at the panel: browsers without scripts, signed in by the real form, one for each role."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from tests.integration.sync.conftest import bc, owner, simulators, store, woo
from workers import users

__all__ = ["bc", "owner", "simulators", "store", "woo"]

PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture
def app(database: str) -> Flask:
    """The web process on this test's database."""
    return create_app()


class Person:
    """A person's browser: it keeps cookies, and sends the token that the forms of its pages hold."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def get(self, path: str, **more: Any) -> TestResponse:
        """Open a page."""
        answer = self.client.get(path, **more)
        found = _TOKEN.search(answer.get_data(as_text=True))
        self.token = found.group(1) if found else self.token
        return answer

    def text(self, path: str, **more: Any) -> str:
        """A page's HTML, which must be there."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, (path, answer.status_code, answer.get_data(as_text=True)[-600:])
        return html.unescape(answer.get_data(as_text=True))

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Send a form, with the token."""
        return self.client.post(path, data={"csrf_token": self.token, **fields})

    def sign_in(self, name: str, password: str = PASSWORD, **more: Any) -> TestResponse:
        """Open the form, and send it."""
        self.get("/sign-in")
        return self.post("/sign-in", name=name, password=password, **more)


@pytest.fixture
def visit(app: Flask) -> Callable[[], Person]:
    """A browser that nobody has used yet."""
    return lambda: Person(app.test_client())


@pytest.fixture
def person_of(visit: Callable[[], Person]) -> Callable[[str], Person]:
    """Somebody of a role, signed in; their name is their role."""

    def made(role: str) -> Person:
        users.create(role, role, PASSWORD)
        person = visit()
        assert person.sign_in(role).status_code == 303
        person.get("/")
        return person

    return made


@pytest.fixture
def viewer(person_of: Callable[[str], Person]) -> Person:
    """May look."""
    return person_of("viewer")


@pytest.fixture
def operator(person_of: Callable[[str], Person]) -> Person:
    """May also sync, release, retry."""
    return person_of("operator")


@pytest.fixture
def admin(person_of: Callable[[str], Person]) -> Person:
    """May do everything."""
    return person_of("admin")
