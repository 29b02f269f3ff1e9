"""rm_webhook_log and rm_webhook_rejections: every delivery that a shop sent us, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from peewee import BigAutoField, BigIntegerField, CompositeKey, ForeignKeyField, IntegerField, TextField

from models.database import Table
from models.fields import json_field, now_field, time_field
from models.site import Site

RECEIVED = "received"
COMPLETED = "completed"
FAILED = "failed"
REJECTED = "rejected"
IGNORED = "ignored"
DUPLICATE = "duplicate"
DELIVERY_STATUSES = (RECEIVED, COMPLETED, FAILED, REJECTED, IGNORED, DUPLICATE)


class WebhookLog(Table):
    """One delivery. status: received, completed, failed, rejected, ignored or duplicate.

    verdict: what the proofs said (workers/webhooks/proofs.py). resource: what the event is about, for a person;
    product_id: the product to read again. delivery_key: equal where the vendor says it is the same delivery.
    headers: without secrets. body: cut where the delivery was rejected; body_bytes: its whole length.
    attempts counts processing; history has one entry for each: `{at, outcome, error, job_id}`.
    """

    id = BigAutoField()
    site = ForeignKeyField(Site, column_name="site_id", null=True, on_delete="CASCADE")
    event_type = TextField(null=True)
    status = TextField(default=RECEIVED)
    error_message = TextField(null=True)
    received_at: datetime = now_field()
    attempts = IntegerField(default=0)
    verdict = TextField(null=True)
    resource = TextField(null=True)
    product_id = BigIntegerField(null=True)
    delivery_key = TextField(null=True)
    headers: dict[str, str] = json_field(default=dict)
    body = TextField(null=True)
    body_bytes = IntegerField(null=True)
    job_id = BigIntegerField(null=True)
    processed_at: datetime | None = time_field(null=True)
    history: list[dict[str, Any]] = json_field(default=list)
    request_id = TextField(null=True)

    if TYPE_CHECKING:
        site_id: int | None

    class Meta:
        table_name = "rm_webhook_log"


class WebhookRejections(Table):
    """How many deliveries of a site were rejected in an hour: a flood is counted, not stored."""

    site = ForeignKeyField(Site, column_name="site_id", on_delete="CASCADE")
    hour: datetime = time_field()
    number = BigIntegerField()

    class Meta:
        table_name = "rm_webhook_rejections"
        primary_key = CompositeKey("site", "hour")
