"""rm_webhook_log: every delivery that a shop sent us, and what became of it."""

from __future__ import annotations

from datetime import datetime

from peewee import BigAutoField, ForeignKeyField, IntegerField, TextField

from models.database import Table
from models.fields import now_field
from models.site import Site


class WebhookLog(Table):
    """One delivery. status: received, completed, failed, rejected, ignored or duplicate."""

    id = BigAutoField()
    site = ForeignKeyField(Site, column_name="site_id", null=True, on_delete="CASCADE")
    event_type = TextField(null=True)
    status = TextField(default="received")
    error_message = TextField(null=True)
    received_at: datetime = now_field()
    attempts = IntegerField(default=0)

    class Meta:
        table_name = "rm_webhook_log"
