"""An example of every body and answer, for the OpenAPI document. A test holds each to its schema."""

from __future__ import annotations

from typing import Any

from api.rest.examples_schedule import SCHEDULE
from api.rest.examples_webhooks import DELIVERY, DELIVERY_DETAIL, TRIAL, WEBHOOKS

_WHEN = "2026-03-19T02:15:23.000Z"
_COMPANY = {
    "name": "Contoso",
    "tenant_id": "contoso.onmicrosoft.com",
    "environment": "Production",
    "company_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "client_id": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
}
_STORE = {
    "name": "Contoso US",
    "platform": "bigcommerce",
    "company": 1,
    "active": True,
    "store_hash": "abc123",
    "channel_ids": [1],
    "location_id": None,
    "safety_stock": 2,
}
_RUN: dict[str, Any] = {
    "id": 42,
    "site_id": 5,
    "status": "running",
    "step": "push",
    "requested_by": "token nightly script",
    "request_id": "7d0c0f6e4c6a4d0b9a3c5b2f8f1e9d11",
    "pages_done": 80,
    "pages_total": 80,
    "items_done": 20000,
    "items_total": 20000,
    "to_push": 1204,
    "pushed": 1000,
    "unchanged": 18640,
    "skipped": {"unknown": 120, "untracked": 36},
    "failed": {"invalid_id": 1},
    "held": 0,
    "superseded_by": None,
    "deactivated": 3,
    "calls": 96,
    "fewest_calls": 94,
    "created_at": _WHEN,
    "started_at": _WHEN,
    "finished_at": None,
    "error": None,
}
_RUN_ITEM: dict[str, Any] = {
    "item_id": 7,
    "job_id": 311,
    "product_id": 205,
    "variant_id": 461,
    "sku": "bike-01",
    "name": "City bike, blue",
    "outcome": "pushed",
    "reason": None,
    "message": None,
    "wanted": 10,
    "shown_before": 7,
    "sent_at": _WHEN,
    "decided_at": _WHEN,
}
_ITEM: dict[str, Any] = {
    "id": 7,
    "site_id": 5,
    "product_id": 205,
    "variant_id": 461,
    "sku": "bike-01",
    "sku_key": "BIKE-01",
    "name": "City bike, blue",
    "tracking": "variant",
    "active": True,
    "bc_quantity": 12.5,
    "safety_stock": 2,
    "stock_read_at": _WHEN,
    "wanted": 10,
    "shown": 10,
    "observed_at": _WHEN,
    "shown_before": 7,
    "sent": 10,
    "sent_at": _WHEN,
    "sent_by_job": 311,
    "sent_by_run": 42,
    "skip_reason": None,
    "failure": None,
    "unsure": False,
    "deactivated_at": None,
    "updated_at": _WHEN,
}
_JOB: dict[str, Any] = {
    "id": 311,
    "queue": "sync",
    "kind": "sync.push",
    "status": "completed",
    "priority": 20,
    "site_id": 5,
    "company_id": None,
    "run_id": 42,
    "refresh_id": None,
    "step": "push",
    "attempts": 1,
    "max_attempts": 8,
    "calls": 1,
    "error": None,
    "request_id": "7d0c0f6e4c6a4d0b9a3c5b2f8f1e9d11",
    "created_at": _WHEN,
    "available_at": _WHEN,
    "started_at": _WHEN,
    "lease_expires_at": None,
    "finished_at": _WHEN,
}
_SETTINGS = {
    "webhook_log_retention_days": 90,
    "queue_retention_days": 14,
    "public_webhook_url": None,
    "guard_share_percent": 20,
    "guard_least_skus": 10,
    "guard_answer_percent": 80,
    "timezone": "Europe/Paris",
    "full_sync_time": "02:00",
    "cleanup_time": "03:00",
    "schedule_latest_minutes": 240,
    "alert_webhook_url_set": True,
    "alert_email_to": "stock@example.com",
    "alert_email_from": None,
    "smtp_url_set": True,
    "alert_failures_in_a_row": 3,
    "alert_oldest_job_minutes": 15,
}
_ALERT: dict[str, Any] = {
    "id": 12,
    "kind": "run_failed",
    "subject": "site:5",
    "site_id": 5,
    "state": "open",
    "change": 1,
    "sentence": "The sync of Contoso US failed: a page of the shop could not be read",
    "details": {"run_id": 42, "finished_at": "2026-03-19T02:15:23+00:00"},
    "opened_at": _WHEN,
    "changed_at": _WHEN,
    "resolved_at": None,
    "webhook_change": 1,
    "webhook_sent_at": _WHEN,
    "email_change": None,
    "email_sent_at": None,
}
_TOKEN: dict[str, Any] = {
    "id": 3,
    "name": "nightly script",
    "scope": "sync",
    "created_at": _WHEN,
    "last_used_at": None,
    "revoked_at": None,
}
_COMPANY_ANSWER = {
    "id": 1,
    **_COMPANY,
    "client_secret_set": True,
    "api_url": "https://api.businesscentral.dynamics.com/v2.0/contoso.onmicrosoft.com/Production/api/v2.0",
    "token_url": "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",
    "created_at": _WHEN,
    "updated_at": _WHEN,
}
_SITE_ANSWER = {
    "id": 5,
    **_STORE,
    "full_sync_enabled": True,
    "full_sync_time": None,
    "webhook_secret_set": True,
    "webhook_secret_previous_until": None,
    "webhook_header_value_set": False,
    "webhook_proofs": ["signature"],
    "location_codes": [],
    "last_synced_at": _WHEN,
    "created_at": _WHEN,
    "updated_at": _WHEN,
    "access_token_set": True,
    "api_url": "https://api.bigcommerce.com",
}


def _page(entry: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"items": [entry], "next": following}


EXAMPLES: dict[str, dict[str, Any]] = {
    "NewCompany": {**_COMPANY, "client_secret": "the app's secret"},
    "CompanyChange": {"client_secret": "a newer secret"},
    "CompanyAnswer": _COMPANY_ANSWER,
    "CompanyList": _page(_COMPANY_ANSWER),
    "NewSite": {**_STORE, "access_token": "token-of-the-API-account"},
    "SiteChange": {"safety_stock": 3, "active": True},
    "SiteAnswer": _SITE_ANSWER,
    "SiteList": _page(_SITE_ANSWER),
    "ChoiceList": _page({"id": 1, "name": "Storefront", "enabled": True}),
    "Report": {
        "ok": False,
        "verdict": "company.client_secret: the secret has expired: make a new one in Microsoft Entra",
        "checks": [
            {
                "name": "token",
                "ok": False,
                "message": "the secret has expired: make a new one in Microsoft Entra",
                "field": "company.client_secret",
            }
        ],
    },
    "RunAnswer": _RUN,
    "RunList": _page(_RUN, "WyJydW5zIiw0Ml0"),
    "RunItemList": _page(_RUN_ITEM),
    "ItemAnswer": _ITEM,
    "ItemList": _page(_ITEM),
    "JobAnswer": _JOB,
    "JobList": _page(_JOB, "WyJqb2JzIiwzMTFd"),
    "DeliveryList": _page(DELIVERY),
    "DeliveryDetail": DELIVERY_DETAIL,
    "ReplayedDelivery": {"job_id": 311},
    "ItemSync": {"job_id": 311},
    "WebhooksAnswer": WEBHOOKS,
    "TrialAnswer": TRIAL,
    "ReplaySince": {"since": "2026-03-19T02:15:23Z"},
    "ReplayAnswer": {"replayed": 17},
    "ScheduleAnswer": SCHEDULE,
    "SettingsAnswer": _SETTINGS,
    "SettingsChange": {"timezone": "Europe/Paris", "full_sync_time": "02:30"},
    "AlertAnswer": _ALERT,
    "AlertList": _page(_ALERT),
    "AlertTest": {"ok": True, "channels": [{"channel": "webhook", "ok": True, "message": "answered 200"}]},
    "NewToken": {"name": "nightly script", "scope": "sync"},
    "MadeToken": {**_TOKEN, "token": "ist_shown-this-once"},
    "TokenList": _page(_TOKEN),
    "SyncAnswer": {"run_id": 42, "job_id": 300, "status": "queued"},
    "SyncAllAnswer": {"runs": [{"site_id": 5, "run_id": 42}]},
    "Stats": {
        "queue": {"total": 315, "pending": 2, "processing": 1, "completed": 311, "failed": 1},
        "last_syncs": [{"site_id": "5", "last_sync": "2026-03-19 02:15:23"}],
    },
    "Problem": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "Some fields are not valid.",
        "code": "invalid_fields",
        "request_id": "7d0c0f6e4c6a4d0b9a3c5b2f8f1e9d11",
        "errors": [{"field": "store_hash", "message": "is required"}],
    },
}


def add_to(document: dict[str, Any]) -> None:
    """Put each example beside the schema that it is of, and wherever that schema is sent or answered."""
    for name, schema in document["components"]["schemas"].items():
        if name in EXAMPLES:
            schema["examples"] = [EXAMPLES[name]]
    for item in document["paths"].values():
        for operation in item.values():
            contents = [answer.get("content", {}) for answer in operation["responses"].values()]
            for content in (*contents, operation.get("requestBody", {}).get("content", {})):
                for media in content.values():
                    _add(media)


def _add(media: dict[str, Any]) -> None:
    name = media["schema"].get("$ref", "").rpartition("/")[2]
    if name in EXAMPLES:
        media["example"] = EXAMPLES[name]
