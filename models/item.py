"""rm_items: every sellable row of every shop: what it shows, what it should show, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from peewee import BigAutoField, BigIntegerField, BooleanField, DecimalField, ForeignKeyField, TextField

from models.database import Table
from models.fields import now_field, time_field
from models.site import Site


class Item(Table):
    """One sellable row.

    variant_id: 0 = the product itself.
    sku: raw, as the shop has it; sku_full_key: trimmed and upper-cased; sku_key: cut to a BC number.
    shown: on hand in the shop as last observed or as last accepted; observed_at: when that read began.
    agreed: the wanted quantity that the shop was last sent, or last seen to show; null = never for this SKU.
    drift_since: since when the shop shows less than it should though nothing changed in BC: it has sold, most
    likely, and only a full sync may raise it.
    wanted: floor(bc_quantity - safety_stock), at least 0; its inputs stand beside it. Null = BC is unknown.
    shown_before, sent, sent_at, sent_by_job: the last write. unsure: its outcome is not known yet.
    """

    id = BigAutoField()
    site = ForeignKeyField(Site, column_name="site_id", on_delete="CASCADE")
    product_id = BigIntegerField()
    variant_id = BigIntegerField(default=0)
    sku = TextField()
    sku_full_key = TextField()
    sku_key = TextField()
    name = TextField(default="")
    tracking = TextField()
    active = BooleanField(default=True)
    shown = BigIntegerField(null=True)
    observed_at: datetime = time_field()
    wanted = BigIntegerField(null=True)
    bc_quantity = DecimalField(max_digits=20, decimal_places=5, null=True)
    safety_stock = BigIntegerField(null=True)
    stock_read_at: datetime | None = time_field(null=True)
    skip_reason = TextField(null=True)
    shown_before = BigIntegerField(null=True)
    sent = BigIntegerField(null=True)
    sent_at: datetime | None = time_field(null=True)
    sent_by_job = BigIntegerField(null=True)
    unsure = BooleanField(default=False)
    agreed = BigIntegerField(null=True)
    drift_since: datetime | None = time_field(null=True)
    failure = TextField(null=True)
    deactivated_at: datetime | None = time_field(null=True)
    created_at: datetime = now_field()
    updated_at: datetime = now_field()

    if TYPE_CHECKING:
        site_id: int

    class Meta:
        table_name = "rm_items"
