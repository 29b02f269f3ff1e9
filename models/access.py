"""rm_api_tokens and rm_users: who may ask. Only hashes are stored."""

from __future__ import annotations

from datetime import datetime

from peewee import AutoField, BooleanField, TextField

from models.database import Table
from models.fields import now_field, time_field

SCOPES = ("read", "sync", "admin")
"""Each scope includes the ones before it."""


class ApiToken(Table):
    """A bearer token: SHA-256 of a 256-bit random secret (nothing to guess, so no slow hash is needed)."""

    id = AutoField()
    name = TextField()
    token_hash = TextField()
    scope = TextField()
    created_at: datetime = now_field()
    last_used_at: datetime | None = time_field(null=True)
    revoked_at: datetime | None = time_field(null=True)

    class Meta:
        table_name = "rm_api_tokens"


class User(Table):
    """A person who signs in to the panel."""

    id = AutoField()
    name = TextField()
    password_hash = TextField()
    role = TextField()
    active = BooleanField(default=True)
    created_at: datetime = now_field()

    class Meta:
        table_name = "rm_users"
