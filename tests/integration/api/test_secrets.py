"""No secret leaves: in no answer, no log line, no row that can be read without the keys."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from models.database import rows
from tests.integration.api.bodies import SECRETS, bigcommerce, company, woocommerce
from tests.integration.api.conftest import Caller
from workers import log

WEBHOOKS = {name: SECRETS[name] for name in ("webhook_secret", "webhook_header_value")}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, app: object) -> Iterator[io.StringIO]:
    """All that this process logs, at the most talkative level."""
    stream = io.StringIO()
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    log.configure("test", stream=stream)
    yield stream
    log.configure("test")


def test_no_secret_is_in_any_answer_or_log_line(logged: io.StringIO, admin: Caller) -> None:
    answers = [admin.post("companies", company())]
    owner = answers[0].get_json()["id"]
    answers += [
        admin.post("sites", bigcommerce(owner, **WEBHOOKS, active=False)),
        admin.post("sites", woocommerce(owner, **WEBHOOKS, url="http://127.0.0.1:1")),
        admin.post("sites", woocommerce(owner, **WEBHOOKS, safety_stock=-1)),
        admin.post("companies", company(**WEBHOOKS)),
        admin.patch(
            "sites/1", {"access_token": SECRETS["access_token"], "nonsense": SECRETS["consumer_key"]}
        ),
        admin.patch("companies/1", {"client_secret": SECRETS["client_secret"] + "\x00"}),
        admin("POST", "sites", data=str(SECRETS), content_type="application/json"),
        admin("GET", f"sites?limit={SECRETS['access_token']}"),
        admin("GET", f"/{SECRETS['consumer_secret']}"),
        *(
            admin.get(path)
            for path in ("companies", "sites", "sites/1", "sites/2", "tokens", "jobs", "settings")
        ),
        admin.post("companies/1/test"),
        admin.post("sites/2/test"),
    ]

    told = "".join(answer.get_data(as_text=True) + str(answer.headers) for answer in answers)
    assert "action" in logged.getvalue()
    for secret in (*SECRETS.values(), admin.token):
        assert secret is not None
        assert secret not in told
        assert secret not in logged.getvalue()


def test_no_secret_is_stored_in_the_clear(admin: Caller) -> None:
    owner = admin.post("companies", company()).get_json()["id"]
    admin.post("sites", bigcommerce(owner, **WEBHOOKS))
    admin.post("sites", woocommerce(owner, **WEBHOOKS))

    stored = "".join(
        str(rows(f"SELECT * FROM {table}"))
        for (table,) in rows(
            "SELECT table_name::text FROM information_schema.tables WHERE table_name LIKE 'rm_%%'"
        )
    )
    assert "Contoso US" in stored
    for secret in SECRETS.values():
        assert secret not in stored
