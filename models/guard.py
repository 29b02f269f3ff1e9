"""rm_zeroings: which rows a shop was told to show as sold out, and when: the guard counts an hour of them."""

from __future__ import annotations

from datetime import datetime

from peewee import BigIntegerField, ForeignKeyField

from models.database import Table
from models.fields import now_field
from models.site import Site


class Zeroing(Table):
    """One row that was planned to fall to zero. Old ones go with the daily clean-up."""

    site = ForeignKeyField(Site, column_name="site_id", on_delete="CASCADE")
    item_id = BigIntegerField()
    at: datetime = now_field()

    class Meta:
        table_name = "rm_zeroings"
        primary_key = False
