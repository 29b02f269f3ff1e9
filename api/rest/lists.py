"""Lists: pages by keyset, so that they neither slow down nor shift while rows come and go."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, PlainSerializer

from models.fields import utc_text
from workers.errors import FieldError, InvalidFields
from workers.forms import LARGEST_BIGINT, LARGEST_ID, Form, Line, wrong

T = TypeVar("T")

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
LONGEST_CURSOR = 1000

Moment = Annotated[datetime, PlainSerializer(utc_text, return_type=str, when_used="json-unless-none")]
"""A time in an answer: ISO 8601, UTC, with a Z."""

Text = Line
SiteFilter = Annotated[
    int | None,
    Field(ge=1, le=LARGEST_ID, validation_alias=AliasChoices("site", "site_id"), description="A site's id."),
]
RunFilter = Annotated[
    int | None,
    Field(
        ge=1,
        le=LARGEST_BIGINT,
        validation_alias=AliasChoices("run", "run_id"),
        description="A sync run's id.",
    ),
]


class Answer(BaseModel):
    """What a route answers with."""

    model_config = ConfigDict(from_attributes=True)


class ListQuery(Form):
    """How much of a list, and from where on."""

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT)
    cursor: Annotated[str, Field(max_length=LONGEST_CURSOR)] | None = Field(
        default=None, description="`next` of the page before; it means nothing to anyone else."
    )


class Page(Answer):
    """One page of a list. `next`: the cursor of the page after it, null at the end."""

    next: str | None = None


def encode(kind: str, key: Sequence[int | str]) -> str:
    """A cursor: the list that it belongs to, and the key of the last row that was given."""
    packed = json.dumps([kind, *key], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(cursor: str | None, kind: str, shape: Sequence[type]) -> list[Any] | None:
    """The key in a cursor, or None for the first page. Raises InvalidFields: it isn't one of this list's."""
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(packed)
    except (ValueError, binascii.Error, RecursionError):
        raise bad_cursor() from None
    if not isinstance(found, list) or len(found) != len(shape) + 1 or found[0] != kind:
        raise bad_cursor()
    for value, expected in zip(found[1:], shape, strict=True):
        if type(value) is not expected or not _storable(value):
            raise bad_cursor()
    return found[1:]


def page(
    kind: str, rows: Sequence[T], limit: int, key: Callable[[T], Sequence[int | str]]
) -> tuple[list[T], str | None]:
    """The rows to give out of `limit + 1` that were asked for, and the cursor of what follows, if any."""
    given = list(rows[:limit])
    return given, encode(kind, key(given[-1])) if len(rows) > limit else None


def _storable(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= LARGEST_BIGINT
    return str(value).isprintable()


def bad_cursor() -> InvalidFields:
    """For a cursor that is none of this list's."""
    return InvalidFields(
        [FieldError("cursor", "is not a cursor of this list: take `next` of the page before")]
    )


def one_of(*allowed: str) -> AfterValidator:
    """A filter that takes certain words."""

    def check(value: str) -> str:
        if value not in allowed:
            raise wrong(f"must be one of {', '.join(allowed)}")
        return value

    return AfterValidator(check)
