"""What an address asks for: filters and cursors, read with forgiveness. Nonsense filters nothing."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from flask import request

from api.rest import lists

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


def cursor(kind: str, shape: Sequence[type]) -> list[Any] | None:
    """Where the page before ended. Raises InvalidFields for a cursor of another list."""
    return lists.decode(request.args.get("cursor") or None, kind, shape)
