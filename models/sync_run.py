"""rm_sync_runs, rm_sync_pages and rm_pushes: one sync of one site, what it listed, what it wrote."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
    TextField,
)
from playhouse.postgres_ext import ArrayField

from models.database import Table
from models.fields import json_field, now_field, time_field
from models.site import Site
from models.stock import StockRefresh

OPEN_STATUSES = ("queued", "running")


class SyncRun(Table):
    """One sync of one site; tells at any moment how far it is. At most one runs and one waits a site."""

    id = BigAutoField()
    site = ForeignKeyField(Site, column_name="site_id", on_delete="CASCADE")
    status = TextField(default="queued")
    step = TextField(default="start")
    refresh = ForeignKeyField(StockRefresh, column_name="refresh_id", null=True)
    requested_by = TextField(default="")
    request_id = TextField(null=True)
    priority = SmallIntegerField(default=50)
    pages_done = IntegerField(default=0)
    pages_total = IntegerField(null=True)
    items_done = BigIntegerField(default=0)
    items_total = BigIntegerField(null=True)
    pushed = BigIntegerField(default=0)
    unchanged = BigIntegerField(default=0)
    to_push = BigIntegerField(default=0)
    deactivated = BigIntegerField(default=0)
    skipped: dict[str, int] = json_field(default=dict)
    failed: dict[str, int] = json_field(default=dict)
    calls = BigIntegerField(default=0)
    fewest_calls = BigIntegerField(null=True)
    relisted = BooleanField(default=False)
    error = TextField(null=True)
    held = BigIntegerField(default=0)
    held_reason = TextField(null=True)
    released_at: datetime | None = time_field(null=True)
    released_by = TextField(null=True)
    superseded_by = BigIntegerField(null=True)
    created_at: datetime = now_field()
    started_at: datetime | None = time_field(null=True)
    list_started_at: datetime | None = time_field(null=True)
    finished_at: datetime | None = time_field(null=True)
    updated_at: datetime = now_field()

    if TYPE_CHECKING:
        site_id: int
        refresh_id: int | None

    class Meta:
        table_name = "rm_sync_runs"


class SyncPage(Table):
    """What one list page showed: so that what is missing from all is found without stamping."""

    run = ForeignKeyField(SyncRun, column_name="run_id", on_delete="CASCADE")
    job_id = BigIntegerField()
    product_ids: list[int] = ArrayField(BigIntegerField, index=False)
    variant_ids: list[int] = ArrayField(BigIntegerField, index=False)
    total = BigIntegerField()

    class Meta:
        table_name = "rm_sync_pages"
        primary_key = CompositeKey("run", "job_id")


class Push(Table):
    """One item in one push job: planned, sending, and what became of it. Figures are counted from these."""

    job_id = BigIntegerField()
    item_id = BigIntegerField()
    run_id = BigIntegerField(null=True)
    wanted = BigIntegerField()
    shown_before = BigIntegerField(null=True)
    outcome = TextField(default="planned")
    reason = TextField(null=True)
    message = TextField(null=True)
    sent_at: datetime | None = time_field(null=True)
    decided_at: datetime | None = time_field(null=True)

    class Meta:
        table_name = "rm_pushes"
        primary_key = CompositeKey("job_id", "item_id")
