"""Bodies that are right, to be changed in one place by each test; and what to read out of errors."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

COMPANY_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
SECRETS = {
    "client_secret": "canary-client-secret-1",
    "access_token": "canary-access-token-2",
    "consumer_key": "canary-consumer-key-3",
    "consumer_secret": "canary-consumer-secret-4",
    "webhook_secret": "canary-webhook-secret-5",
    "webhook_header_value": "canary-header-value-6",
}


def company(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Contoso",
        "tenant_id": "contoso.onmicrosoft.com",
        "environment": "Production",
        "company_id": COMPANY_ID,
        "client_id": "app",
        "client_secret": SECRETS["client_secret"],
    } | changes


def bigcommerce(owner: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Contoso US",
        "platform": "bigcommerce",
        "company": owner,
        "store_hash": "abc123",
        "access_token": SECRETS["access_token"],
    } | changes


def woocommerce(owner: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Contoso EU",
        "platform": "woocommerce",
        "company": owner,
        "url": "https://shop.example.com",
        "consumer_key": SECRETS["consumer_key"],
        "consumer_secret": SECRETS["consumer_secret"],
    } | changes


def faults(answer: TestResponse) -> dict[str, str]:
    """The fields that an answer complains of, each with its message."""
    body = answer.get_json()
    return {error["field"]: error["message"] for error in body["errors"]}


def refused(answer: TestResponse, status: int, code: str) -> bool:
    """Whether an answer is this error; shows what it is instead."""
    assert (answer.status_code, answer.get_json().get("code")) == (status, code), answer.get_json()
    return True
