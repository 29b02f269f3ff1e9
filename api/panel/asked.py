"""What an address asks for: filters and cursors, read with forgiveness. Nonsense filters nothing."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel

from api.rest import lists
from workers.errors import InvalidFields
from workers.forms import parse

M = TypeVar("M", bound=BaseModel)

PAGE = 50  # rows of a list
LONGEST_TEXT = 200


def text(name: str = "q") -> str:
    """Words to search for, without what no text holds."""
    found = request.args.get(name, "")
    return "".join(letter for letter in found if letter.isprintable()).strip()[:LONGEST_TEXT]


def one_of(name: str, allowed: Container[str]) -> str | None:
    """A filter that takes certain words; None where it is left out, or is none of them."""
    found = request.args.get(name, "")
    return found if found in allowed else None


def form(fields: type[M], **defaults: Any) -> M:
    """All filters of a page at once, strictly. Raises InvalidFields: for what is done to all that they choose."""
    given = {name: request.values.get(name, "").strip() for name in fields.model_fields}
    return parse(fields, {**defaults, **{name: value for name, value in given.items() if value}})


def filters(fields: type[M]) -> tuple[M, dict[str, str]]:
    """The same for a list: what can't be read filters nothing, and is told of under its field."""
    try:
        return form(fields), {}
    except InvalidFields as error:
        wrong = {entry.field: entry.message for entry in reversed(error.errors)}
    given = {name: request.args.get(name, "").strip() for name in fields.model_fields if name not in wrong}
    return parse(fields, {name: value for name, value in given.items() if value}), wrong


def cursor(kind: str, shape: Sequence[type]) -> list[Any] | None:
    """Where the page before ended. Raises InvalidFields for a cursor of another list."""
    return lists.decode(request.args.get("cursor") or None, kind, shape)
