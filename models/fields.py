"""Columns that several tables use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from peewee import SQL
from playhouse.postgres_ext import BinaryJSONField, DateTimeTZField


class _PlainJsonField(BinaryJSONField):
    """jsonb without the GIN index that peewee would declare."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("index", False)
        super().__init__(**kwargs)


def time_field(*, null: bool = False) -> Any:
    """A moment, in UTC; always PostgreSQL's clock, never this machine's."""
    return DateTimeTZField(null=null)


def now_field() -> Any:
    """A moment that PostgreSQL fills in on insert."""
    return DateTimeTZField(constraints=[SQL("DEFAULT now()")], null=True)


def json_field(*, default: Any = None, null: bool = False) -> Any:
    """A small JSON document (jsonb)."""
    return _PlainJsonField(default=default, null=null)


def utc_text(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z, to the millisecond, as the API shows every time."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
