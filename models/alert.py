"""rm_alerts and rm_refusals: what a person should know of, and whose credentials a vendor refuses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from peewee import BigAutoField, BigIntegerField, ForeignKeyField, IntegerField, TextField

from models.company import Company
from models.database import Table
from models.fields import json_field, now_field, time_field
from models.site import Site

OPEN = "open"
RESOLVED = "resolved"
ALERT_STATES = (OPEN, RESOLVED)


class Alert(Table):
    """One thing that is, or was, wrong; at most one is open of a (kind, subject).

    subject: what it is about: site:5, company:2, queue:sync or schedule:full_sync.
    change: 1 as it opens, one more each time that its sentence changes, one more as it resolves. Each change is
    one message a channel. `..._change` and `..._sent_at`: the last change that went out by that channel.
    """

    id = BigAutoField()
    kind = TextField()
    subject = TextField()
    site = ForeignKeyField(Site, column_name="site_id", null=True, on_delete="SET NULL")
    state = TextField(default=OPEN)
    change = IntegerField(default=1)
    sentence = TextField()
    details: dict[str, Any] = json_field(default=dict)
    opened_at: datetime = now_field()
    changed_at: datetime = now_field()
    resolved_at: datetime | None = time_field(null=True)
    webhook_change = IntegerField(null=True)
    webhook_sent_at: datetime | None = time_field(null=True)
    email_change = IntegerField(null=True)
    email_sent_at: datetime | None = time_field(null=True)

    class Meta:
        table_name = "rm_alerts"


class Refusal(Table):
    """Whose credentials were refused last, until they are taken again. subject: site:5 or company:2.

    reason: `credentials` (401) or `permission` (403). kind, job_id, site, company: of the job that was refused.
    """

    subject = TextField(primary_key=True)
    reason = TextField()
    error = TextField()
    kind = TextField()
    job_id = BigIntegerField()
    site = ForeignKeyField(Site, column_name="site_id", null=True, on_delete="CASCADE")
    company = ForeignKeyField(Company, column_name="company_id", null=True, on_delete="CASCADE")
    refused_at: datetime = now_field()

    class Meta:
        table_name = "rm_refusals"
