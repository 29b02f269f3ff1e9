"""rm_api_tokens, rm_users, rm_sessions, rm_sign_in_failures: who may ask. Only hashes are stored."""

from __future__ import annotations

from datetime import datetime

from peewee import AutoField, BooleanField, ForeignKeyField, TextField

from models.database import Table
from models.fields import now_field, time_field

SCOPES = ("read", "sync", "admin")
"""Each scope includes the ones before it."""

ROLE_SCOPES = {"viewer": "read", "operator": "sync", "admin": "admin"}
"""What the people of a role may do."""


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
    """A person who signs in to the panel. Names differ by more than case."""

    id = AutoField()
    name = TextField()
    password_hash = TextField()
    role = TextField()
    active = BooleanField(default=True)
    created_at: datetime = now_field()
    last_signed_in_at: datetime | None = time_field(null=True)
    password_changed_at: datetime = now_field()

    class Meta:
        table_name = "rm_users"


class Session(Table):
    """A browser that has signed in: SHA-256 of the random text in its cookie.

    address, browser: as they were at the sign-in, so that a person knows which of their sessions is which.
    """

    id = AutoField()
    token_hash = TextField()
    user = ForeignKeyField(User, column_name="user_id", on_delete="CASCADE")
    address = TextField(default="")
    browser = TextField(default="")
    created_at: datetime = now_field()
    last_seen_at: datetime = now_field()

    class Meta:
        table_name = "rm_sessions"


class SignInFailure(Table):
    """One wrong password, for an hour: what slows the next try. name: lower case, known or not."""

    at: datetime = now_field()
    name = TextField()
    address = TextField()

    class Meta:
        table_name = "rm_sign_in_failures"
        primary_key = False
