"""rm_kept_figures, rm_site_figures, rm_queue_minutes: what pages show of many rows, kept rather than counted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from peewee import BigIntegerField, FloatField, ForeignKeyField, TextField

from models.database import Table
from models.fields import json_field, now_field, time_field
from models.site import Site


class KeptFigure(Table):
    """A figure by its name, and when it was counted."""

    name = TextField(primary_key=True)
    value: dict[str, Any] = json_field(default=dict)
    counted_at: datetime = now_field()

    class Meta:
        table_name = "rm_kept_figures"


class SiteFigures(Table):
    """A site's active rows by how they stand; each row counts once.

    agreeing: shows what it should. drifting: shows less since it has sold. skipped: left alone, with a reason.
    failed: the shop refused it. unsettled: the rest: to be pushed, just pushed, or never judged.
    reasons: of those skipped, how many for which reason.
    """

    site = ForeignKeyField(Site, column_name="site_id", primary_key=True, on_delete="CASCADE")
    active = BigIntegerField(default=0)
    agreeing = BigIntegerField(default=0)
    drifting = BigIntegerField(default=0)
    skipped = BigIntegerField(default=0)
    failed = BigIntegerField(default=0)
    unsettled = BigIntegerField(default=0)
    reasons: dict[str, int] = json_field(default=dict)
    counted_at: datetime = now_field()

    class Meta:
        table_name = "rm_site_figures"


class QueueMinute(Table):
    """A minute of the ledger: jobs that ended in it, and how things stood at its end.

    queues: `{queue: {in, out}}`, those without any job left out. last_id: the newest job of then; null = not noted.
    """

    minute: datetime = time_field()
    completed = BigIntegerField(default=0)
    failed = BigIntegerField(default=0)
    pending = BigIntegerField(default=0)
    processing = BigIntegerField(default=0)
    oldest_seconds = FloatField(default=0)
    last_id = BigIntegerField(null=True)
    queues: dict[str, dict[str, int]] = json_field(default=dict)

    class Meta:
        table_name = "rm_queue_minutes"
        primary_key = False
