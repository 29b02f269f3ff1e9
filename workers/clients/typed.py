"""From a vendor's JSON to typed rows: a row that is not as documented is a BadAnswer, never a 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from workers.errors import BadAnswer

T = TypeVar("T")


class Row(BaseModel):
    """What a vendor sent: unknown keys are dropped, types are taken at their word (no "5" for 5)."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)


def parse(adapter: TypeAdapter[T], value: Any, what: str) -> T:
    """The value as the adapter's type. Raises BadAnswer with the first fault's place, never its input."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "body"
        raise BadAnswer(f"{what}: {place}: {fault['msg']}", code="unexpected_shape") from None


def chunked(ids: Sequence[int], *, most: int, most_characters: int = 6_000) -> Iterator[list[int]]:
    """Ids in groups that fit in one URL.

    Three characters a comma, since it is sent as %2C; the default stays well below the 8 KB request line that
    common front servers take.
    """
    group: list[int] = []
    length = 0
    for number in ids:
        size = len(str(number)) + 3
        if group and (len(group) >= most or length + size > most_characters):
            yield group
            group, length = [], 0
        group.append(number)
        length += size
    if group:
        yield group
