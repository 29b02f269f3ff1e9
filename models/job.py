"""rm_queue and rm_store_leases: the ledger of all work, and who may write to which store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
    TextField,
    UUIDField,
)

from models.company import Company
from models.database import Table
from models.fields import json_field, now_field, time_field
from models.site import Site
from models.stock import StockRefresh
from models.sync_run import SyncRun

PENDING = "pending"
PROCESSING = "processing"
COMPLETED = "completed"
FAILED = "failed"
JOB_STATUSES = (PENDING, PROCESSING, COMPLETED, FAILED)
OPEN = (PENDING, PROCESSING)


class Job(Table):
    """One piece of work. A Dramatiq message carries its id and nothing else.

    priority: lower goes first. step: the step of the run that it belongs to. store_key: set where it needs
    the store's write lease. unique_key: at most one job ever has it (the next step of a run).
    fold_key: at most one pending job has it; what comes meanwhile folds into that one (`folded` counts).
    failures: the last errors of its attempts, `{at, attempt, error}`, the newest at the end.
    lease_token: who holds it; every change by the holder compares it. deadline_at: renewals end there.
    """

    id = BigAutoField()
    queue = TextField()
    kind = TextField()
    status = TextField(default=PENDING)
    priority = SmallIntegerField(default=50)
    payload: dict[str, Any] = json_field(default=dict)
    site = ForeignKeyField(Site, column_name="site_id", null=True, on_delete="CASCADE")
    company = ForeignKeyField(Company, column_name="company_id", null=True, on_delete="CASCADE")
    run = ForeignKeyField(SyncRun, column_name="run_id", null=True, on_delete="CASCADE")
    refresh = ForeignKeyField(StockRefresh, column_name="refresh_id", null=True, on_delete="CASCADE")
    step = TextField(null=True)
    store_key = TextField(null=True)
    unique_key = TextField(null=True)
    fold_key = TextField(null=True)
    folded = IntegerField(default=0)
    attempts = IntegerField(default=0)
    max_attempts = IntegerField(default=8)
    available_at: datetime = now_field()
    hinted_at: datetime | None = time_field(null=True)
    hint_count = IntegerField(default=0)
    lease_token = UUIDField(null=True)
    lease_expires_at: datetime | None = time_field(null=True)
    started_at: datetime | None = time_field(null=True)
    deadline_at: datetime | None = time_field(null=True)
    finished_at: datetime | None = time_field(null=True)
    calls = BigIntegerField(default=0)
    error = TextField(null=True)
    failures: list[dict[str, Any]] = json_field(default=list)
    result: dict[str, Any] | None = json_field(null=True)
    request_id = TextField(null=True)
    created_at: datetime = now_field()
    updated_at: datetime = now_field()

    class Meta:
        table_name = "rm_queue"


class StoreLease(Table):
    """The one writer that a store has at a time (platform and store_hash, or normalised URL)."""

    store_key = TextField(primary_key=True)
    token = UUIDField()
    job_id = BigIntegerField()
    expires_at: datetime = time_field()

    class Meta:
        table_name = "rm_store_leases"
