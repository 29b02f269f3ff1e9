"""What a person may type, through whichever door: the types of fields, and one fixed message an error.

pydantic's own messages are never passed on: some repeat the input, which may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from models import setting
from models.site import PLATFORMS
from workers.clients.addresses import check_url
from workers.errors import ConfigurationError, FieldError, InvalidFields

M = TypeVar("M", bound=BaseModel)

LARGEST_ID = 2**31 - 1  # PostgreSQL's integer
LARGEST_BIGINT = 2**63 - 1
MOST_CHANNELS = 100
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_NAMEABLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class Form(BaseModel):
    """Refuses fields that it doesn't know (a typo must not pass silently); keeps inputs out of errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    def given(self) -> dict[str, Any]:
        """The fields that were given, secrets as plain text; those left out are absent."""
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in ((name, getattr(self, name)) for name in self.model_fields_set)
        }


def wrong(message: str) -> PydanticCustomError:
    """An error of our own in a validator; `message` must not repeat the value."""
    return PydanticCustomError("rule", "{text}", {"text": message})


def left_out() -> Any:
    """A field of a change: absent keeps what is stored. Null is refused unless the field's type has it."""
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _one_line(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise wrong("must not contain control characters")
    return value


def _plain_ascii(value: SecretStr) -> SecretStr:
    # These travel in HTTP headers, which carry nothing else.
    if not all(33 <= ord(character) <= 126 for character in value.get_secret_value()):
        raise wrong("must be plain letters, digits and signs, without spaces")
    return value


def _secret_line(value: SecretStr) -> SecretStr:
    _one_line(value.get_secret_value())
    return value


def _strip(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value  # a pasted secret often ends with a newline


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value.lower()):
        raise wrong("must be a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    return value.lower()


def _tenant(value: str) -> str:
    if not _GUID.fullmatch(value.lower()) and not _DOMAIN.fullmatch(value.lower()):
        raise wrong("must be the tenant's GUID, or its domain such as contoso.onmicrosoft.com")
    return value.lower()


def _moment(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value.strip())
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError, AttributeError):
        pass
    raise wrong("must be a time with its zone, such as 2026-03-19T02:15:23Z")


def _time_of_day(value: str) -> str:
    try:
        return str(setting.checked("full_sync_time", value))
    except setting.SettingError as error:
        raise wrong(str(error)) from None


def _text(longest: int, pattern: str | None = None) -> StringConstraints:
    return StringConstraints(
        strict=True, strip_whitespace=True, min_length=1, max_length=longest, pattern=pattern
    )


_OneLine = AfterValidator(_one_line)
Line = Annotated[str, _text(500), _OneLine]
Name = Annotated[str, _text(200), _OneLine]
Guid = Annotated[str, _text(100), _OneLine, AfterValidator(_guid)]
Tenant = Annotated[str, _text(300), _OneLine, AfterValidator(_tenant)]
Environment = Annotated[str, _text(64, r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), _OneLine]
StoreHash = Annotated[str, _text(64, r"^[A-Za-z0-9]+$"), _OneLine]
Url = Annotated[str, _text(2000), _OneLine]
SecretText = Annotated[
    SecretStr, BeforeValidator(_strip), Field(min_length=1, max_length=4000), AfterValidator(_secret_line)
]
HeaderSecret = Annotated[SecretText, AfterValidator(_plain_ascii)]
RowId = Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID)]
BigId = Annotated[int, Field(strict=True, ge=1, le=LARGEST_BIGINT)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
TimeOfDay = Annotated[str, _text(100), AfterValidator(_time_of_day)]
Flag = Annotated[bool, Field(strict=True)]


def parse(form: type[M], values: Mapping[str, Any]) -> M:
    """Read typed-in values. Raises InvalidFields with every field that is wrong."""
    try:
        return form.model_validate(dict(values))
    except ValidationError as error:
        raise invalid_fields(error) from None


def collect_url(url: str | None, field: str, errors: list[FieldError]) -> None:
    """Check where a URL leads and note what is wrong with it."""
    if url is None:
        return
    try:
        check_url(url, field)
    except ConfigurationError as error:
        errors.append(FieldError(error.field, error.message))


def invalid_fields(error: ValidationError) -> InvalidFields:
    """pydantic's findings as ours: names as the user typed them, fixed messages, nothing of the input."""
    found = [
        FieldError(_field(fault), _message(fault))
        for fault in error.errors(include_url=False, include_input=False)
    ]
    return InvalidFields(list(dict.fromkeys(found)))


def _field(fault: ErrorDetails) -> str:
    path = list(fault["loc"])
    if len(path) > 1 and path[0] in PLATFORMS:  # the tag of the union, not a field
        path = path[1:]
    elif fault["type"].startswith("union_tag"):
        return "platform"
    elif len(path) == 1 and path[0] in PLATFORMS:
        return "body"
    if not path:
        return "body"
    if fault["type"] == "extra_forbidden" and not _NAMEABLE.fullmatch(str(path[-1])):
        return "body"  # a key that no field is called; it could be anything, so it isn't repeated
    return ".".join(str(part) for part in path)


_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a field here",
    "union_tag_not_found": "is required: bigcommerce or woocommerce",
    "union_tag_invalid": "must be bigcommerce or woocommerce",
    "string_type": "must be text",
    "string_unicode": "must be valid text",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "is not in the form that is expected here",
    "too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}


def _message(fault: ErrorDetails) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "rule":
        return str(context["text"])
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    if kind in ("string_too_long", "too_long"):
        what = "characters" if kind == "string_too_long" else "entries"
        return f"must have at most {context['max_length']} {what}"
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}"
    return "is not valid"
