"""Changing settings, through whichever door: all that are given, or none if one of them is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models import setting
from models.database import transaction
from models.setting import SettingError
from workers.alerts.channels import check_address
from workers.errors import ConfigurationError, FieldError, InvalidFields


def apply(values: Mapping[str, Any]) -> list[str]:
    """Store what differs from now; gives those keys. Raises InvalidFields, and then nothing is stored."""
    errors: list[FieldError] = []
    changed = []
    with transaction():
        before = setting.read_all()
        for key, value in values.items():
            try:
                if isinstance(value, str) and not value.isprintable():
                    raise SettingError("must not contain control characters")
                if setting.checked(key, value) != before[key]:  # the same again must not move the schedule
                    check_address(key, value)
                    setting.change(key, value)
                    changed.append(key)
            except SettingError as error:
                errors.append(FieldError(key, str(error)))
            except ConfigurationError as error:
                errors.append(FieldError(error.field, error.message))
        if errors:
            raise InvalidFields(errors)
    return changed
