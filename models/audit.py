"""rm_audit_log: who did what, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from peewee import BigAutoField, IntegerField, TextField

from models.database import Table
from models.fields import json_field, now_field

OUTCOMES = ("begun", "done", "refused", "failed")


class AuditEntry(Table):
    """One thing that somebody asked for, written before it is done.

    actor: the name of the user or token as it was. subject: what it was done to, such as site:5.
    detail: which fields, never their secrets. outcome: `begun` stays where the process died in the middle.
    """

    id = BigAutoField()
    at: datetime = now_field()
    actor_kind = TextField()
    actor_id = IntegerField(null=True)
    actor = TextField()
    action = TextField()
    subject = TextField(default="")
    detail: dict[str, Any] = json_field(default=dict)
    outcome = TextField(default="begun")
    address = TextField(default="")
    request_id = TextField(null=True)

    class Meta:
        table_name = "rm_audit_log"
