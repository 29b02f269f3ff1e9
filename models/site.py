"""rm_sites: the shops. One row is one selling place: a store, or some channels of a store."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from peewee import AutoField, BigIntegerField, BooleanField, ForeignKeyField, TextField

from models.company import Company
from models.crypto import SecretField
from models.database import Table
from models.fields import json_field, now_field, time_field

BIGCOMMERCE = "bigcommerce"
WOOCOMMERCE = "woocommerce"
PLATFORMS = (BIGCOMMERCE, WOOCOMMERCE)
DEFAULT_BIGCOMMERCE_API_URL = "https://api.bigcommerce.com"


class Site(Table):
    """One shop.

    store_key: what the write lease is held on: `bigcommerce:{store_hash}` or `woocommerce:{normalised url}`.
    details: what its client found out once (ShopFacts.details): location, flat variations, ...
    webhook_secret_previous: accepted beside the new one until webhook_secret_previous_until.
    full_sync_enabled, full_sync_time: whether the schedule syncs it, and when (None: at the setting's time).
    full_sync_since: nights before it don't count: these two were changed, or it was not active.
    leaving_at: since when it is deleted: it is unknown to all but the job that deletes its rows.
    webhooks: what the last look at the shop's registrations found (workers/webhooks/registration.py).
    """

    id = AutoField()
    name = TextField()
    platform = TextField()
    company = ForeignKeyField(Company, column_name="company_id", backref="sites")
    active = BooleanField(default=True)
    store_key = TextField()
    store_hash = TextField(null=True)
    url = TextField(null=True)
    api_url = TextField(null=True)
    access_token = SecretField(null=True)
    consumer_key = SecretField(null=True)
    consumer_secret = SecretField(null=True)
    webhook_secret = SecretField(null=True)
    webhook_header_value = SecretField(null=True)
    webhook_secret_previous = SecretField(null=True)
    webhook_secret_previous_until: datetime | None = time_field(null=True)
    webhook_proofs: list[str] = json_field(default=list)
    webhooks: dict[str, Any] = json_field(default=dict)
    webhooks_checked_at: datetime | None = time_field(null=True)
    full_sync_enabled = BooleanField(default=True)
    full_sync_time = TextField(null=True)
    full_sync_since: datetime = now_field()
    safety_stock = BigIntegerField(default=0)
    location_codes: list[str] = json_field(default=list)
    channel_ids: list[int] = json_field(default=list)
    location_id = BigIntegerField(null=True)
    details: dict[str, Any] = json_field(default=dict)
    last_synced_at: datetime | None = time_field(null=True)
    leaving_at = time_field(null=True)
    created_at: datetime = now_field()
    updated_at: datetime = now_field()

    if TYPE_CHECKING:
        company_id: int

    class Meta:
        table_name = "rm_sites"

    @classmethod
    def known(cls) -> Any:
        """A query of the sites that are not being deleted."""
        return cls.select().where(cls.leaving_at.is_null())
