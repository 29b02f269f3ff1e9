"""rm_stock and rm_stock_refreshes: BC's stock as last read, shared by all sites of a company."""

from __future__ import annotations

from datetime import datetime

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    DecimalField,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from models.company import Company
from models.database import Table
from models.fields import now_field, time_field


class Stock(Table):
    """One BC item. `read_started_at` is the version of its figures and the proof of how fresh they are.

    read_ended_at: when the last answer that said so had come. A read that began before may have seen older stock.
    """

    company = ForeignKeyField(Company, column_name="company_id", on_delete="CASCADE")
    number = TextField()
    key = TextField()
    quantity = DecimalField(max_digits=20, decimal_places=5)
    type = TextField()
    blocked = BooleanField(default=False)
    name = TextField(default="")
    read_started_at: datetime = time_field()
    read_ended_at: datetime = now_field()
    changed_at: datetime = now_field()

    class Meta:
        table_name = "rm_stock"
        primary_key = CompositeKey("company", "number")


class StockRefresh(Table):
    """One read of a company's stock. Runs join it only while it is `waiting`: BC has not been asked yet.

    suspicion: why its answer is not to be trusted with zeros (workers/guard.py); null = it is.
    """

    id = BigAutoField()
    company = ForeignKeyField(Company, column_name="company_id", on_delete="CASCADE")
    status = TextField(default="waiting")
    mode = TextField(null=True)
    read_started_at: datetime | None = time_field(null=True)
    finished_at: datetime | None = time_field(null=True)
    rows_read = BigIntegerField(default=0)
    pages = IntegerField(default=0)
    fewest_calls = IntegerField(null=True)
    error = TextField(null=True)
    suspicion = TextField(null=True)
    created_at: datetime = now_field()

    class Meta:
        table_name = "rm_stock_refreshes"
