"""Examples of deliveries, registrations and trials, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

_WHEN = "2026-03-19T02:15:23.000Z"
DELIVERY = {
    "id": 9001,
    "site_id": 5,
    "event_type": "store/product/updated",
    "status": "completed",
    "error_message": None,
    "received_at": _WHEN,
    "attempts": 1,
    "verdict": "verified",
    "resource": "product 205",
    "product_id": 205,
    "job_id": 311,
    "processed_at": _WHEN,
}
DELIVERY_DETAIL: dict[str, Any] = {
    **DELIVERY,
    "request_id": "7d0c0f6e4c6a4d0b9a3c5b2f8f1e9d11",
    "delivery_key": "msg_2b1e",
    "headers": {"Content-Type": "application/json", "Webhook-Signature": "***"},
    "body": '{"scope": "store/product/updated", "data": {"type": "product", "id": 205}}',
    "body_bytes": 73,
    "history": [{"at": _WHEN, "outcome": "completed", "error": None, "job_id": 311}],
}
WEBHOOKS: dict[str, Any] = {
    "site_id": 5,
    "healthy": True,
    "destination": "https://hooks.example.com/webhooks/bigcommerce/5",
    "topics": [
        {
            "topic": "store/product/updated",
            "state": "healthy",
            "hook_id": 30017,
            "last_delivery_at": _WHEN,
        }
    ],
    "created": [],
    "kept": [],
    "updated": [],
    "restored": ["store/product/updated"],
    "removed": [],
    "stale": 0,
    "others": 2,
    "sync_run_id": 42,
}
TRIAL: dict[str, Any] = {
    "ok": True,
    "seconds": 0.4,
    "delivery_id": 9001,
    "steps": [
        {
            "name": "processed",
            "ok": True,
            "message": "completed: the shop was read again",
            "seconds": 0.3,
            "field": None,
        }
    ],
}
