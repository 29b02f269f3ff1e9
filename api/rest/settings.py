"""`/api/v1/settings`: what operators may change while the system runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from flask_openapi3 import APIBlueprint
from pydantic import Field, WithJsonSchema, create_model

from api.rest import routes
from api.rest.lists import Answer
from models import setting
from models.setting import SETTINGS
from workers import setting_changes
from workers.forms import Form, left_out


def _fields(form: bool) -> dict[str, Any]:
    """A field a setting, so that a new setting is in the API as soon as it stands in the table."""
    fields: dict[str, Any] = {}
    for key, definition in SETTINGS.items():
        if definition.secret and not form:
            fields[f"{key}_set"] = (bool, Field(description=definition.help))
            continue
        kind = {"type": "integer" if isinstance(definition.default, int) else "string"}
        nullable = {"anyOf": [kind, {"type": "null"}]} if definition.default is None else kind
        typed = Annotated[Any, WithJsonSchema({**nullable, "description": definition.help})]
        # The values' own rules are in models/setting.py, which says the bounds.
        fields[key] = (typed, left_out() if form else ...)
    return fields


if TYPE_CHECKING:

    class SettingsAnswer(Answer):
        """All settings. Secrets are write-only: `..._set` says whether there is one."""

    class SettingsChange(Form):
        """The settings to change."""
else:
    SettingsAnswer = create_model(
        "SettingsAnswer",
        __base__=Answer,
        __doc__="All settings. Secrets are write-only: `..._set` says whether there is one.",
        **_fields(form=False),
    )
    SettingsChange = create_model(
        "SettingsChange", __base__=Form, __doc__="The settings to change.", **_fields(form=True)
    )


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("settings", "What operators may change while the system runs.")
    routes.route(api, "GET", "", scope="read", answer=SettingsAnswer)(get)
    routes.route(api, "PATCH", "", scope="admin", answer=SettingsAnswer)(change)
    return api


def get() -> SettingsAnswer:
    """All settings, with their defaults where they were never changed."""
    shown = {}
    for key, value in setting.read_all().items():
        if SETTINGS[key].secret:
            shown[f"{key}_set"] = value is not None
        else:
            shown[key] = value
    return SettingsAnswer.model_validate(shown)


def change(body: SettingsChange) -> SettingsAnswer:
    """Change settings: all that are given, or none if one of them is wrong."""
    setting_changes.apply(body.given())
    return get()
