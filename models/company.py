"""rm_companies: the Business Central companies whose stock is the truth."""

from __future__ import annotations

from datetime import datetime

from peewee import AutoField, BigIntegerField, TextField

from models.crypto import SecretField
from models.database import Table
from models.fields import now_field

DEFAULT_API_URL = "https://api.businesscentral.dynamics.com/v2.0/{tenant_id}/{environment}/api/v2.0"
DEFAULT_TOKEN_URL = "https://login.microsoftonline.com/{tenant_id}/oauth2/v2.0/token"  # noqa: S105 - an address


class Company(Table):
    """One company. `api_url` is all that stands before `/companies(...)`."""

    id = AutoField()
    name = TextField()
    tenant_id = TextField()
    environment = TextField()
    company_id = TextField()
    client_id = TextField()
    client_secret = SecretField(null=True)
    api_url = TextField()
    token_url = TextField()
    item_count = BigIntegerField(null=True)  # BC's items at the last whole scan: scan or or-chains?
    created_at: datetime = now_field()
    updated_at: datetime = now_field()

    class Meta:
        table_name = "rm_companies"
