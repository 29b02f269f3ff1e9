"""rm_settings: what operators may change while the system runs, in one table with type, default and help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from peewee import TextField

from models.channel_settings import CHECKS, ChannelError, is_private
from models.config import settings
from models.crypto import SecretField
from models.database import Table, session
from models.fields import json_field, now_field


class SettingError(ValueError):
    """A value that a setting can't take: says the bounds or an example."""


class Setting(Table):
    """One changed setting; a key without a row has its default. secret: in place of a value that is one."""

    key = TextField(primary_key=True)
    value: Any = json_field()
    secret = SecretField(null=True)
    updated_at: datetime = now_field()

    class Meta:
        table_name = "rm_settings"


@dataclass(frozen=True, slots=True)
class Definition:
    """A setting: its kind (which decides what `checked` takes), its default and its help.

    secret: encrypted at rest, never shown again; `read` gives a lazy Secret. Its default is null.
    """

    kind: str
    default: Any
    help: str
    secret: bool = False


SETTINGS: dict[str, Definition] = {
    "webhook_log_retention_days": Definition(
        "days", 90, "How many days webhook deliveries are kept: 1 to 365."
    ),
    "queue_retention_days": Definition(
        "days", 14, "How many days finished jobs and runs are kept: 1 to 365."
    ),
    "public_webhook_url": Definition(
        "url", None, "The https:// address under which shops reach the webhook receivers."
    ),
    "guard_share_percent": Definition(
        "percent", 20, "The guard holds a fall to zero of more than this share of a shop's SKUs in an hour."
    ),
    "guard_least_skus": Definition("count", 10, "So many SKUs of a shop may always fall to zero in an hour."),
    "guard_answer_percent": Definition(
        "percent",
        80,
        "An answer of Business Central with less than this share of last time's items is suspect.",
    ),
    "timezone": Definition("zone", "UTC", "The zone of the schedule, such as Europe/Paris."),
    "full_sync_time": Definition("time", "02:00", "When the nightly full sync starts, HH:MM in the zone."),
    "cleanup_time": Definition("time", "03:00", "When the daily clean-up starts, HH:MM in the zone."),
    "schedule_latest_minutes": Definition(
        "minutes", 240, "How late a night may still begin after an outage, in minutes: 10 to 1380."
    ),
    "alert_webhook_url": Definition(
        "webhook",
        None,
        "The address that alerts are posted to as JSON, such as Slack's or Teams'.",
        secret=True,
    ),
    "alert_email_to": Definition("mailboxes", None, "Who gets alerts by e-mail: addresses, at most 20."),
    "alert_email_from": Definition(
        "mailbox", None, "Whom these e-mails are from. Null: their first recipient."
    ),
    "smtp_url": Definition(
        "smtp", None, "The server that takes e-mail: smtp://user:password@host:587 or smtps://.", secret=True
    ),
    "alert_failures_in_a_row": Definition(
        "failures", 3, "After how many failed syncs in a row a site counts as failing: 2 to 100."
    ),
    "alert_oldest_job_minutes": Definition(
        "minutes", 15, "After how many minutes a job has waited for too long: 10 to 1380."
    ),
}


def checked(key: str, value: Any) -> Any:
    """The value as it is stored. Raises SettingError with the bounds, KeyError for an unknown key."""
    kind = SETTINGS[key].kind
    if kind == "days":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 365:
            raise SettingError("must be a whole number of days from 1 to 365")
    elif kind == "percent":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
            raise SettingError("must be a whole percentage from 1 to 100")
    elif kind == "count":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
            raise SettingError("must be a whole number from 0 to 1000000")
    elif kind == "failures":
        if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= 100:
            raise SettingError("must be a whole number from 2 to 100")
    elif kind == "minutes":
        if isinstance(value, bool) or not isinstance(value, int) or not 10 <= value <= 1380:
            raise SettingError("must be a whole number of minutes from 10 to 1380")
    elif kind == "zone":
        try:
            ZoneInfo(value if isinstance(value, str) and value else "?")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise SettingError("must be a zone name such as Europe/Paris or UTC") from None
    elif kind == "time":
        hours, colon, minutes = value.partition(":") if isinstance(value, str) else ("", "", "")
        if not (
            colon
            and len(hours) == len(minutes) == 2
            and (hours + minutes).isascii()
            and (hours + minutes).isdigit()
            and int(hours) < 24
            and int(minutes) < 60
        ):
            raise SettingError("must be a time of day as HH:MM, 00:00 to 23:59")
    elif kind == "url" and value is not None and not _is_address(value):
        raise SettingError("must be an address that begins with https://, or null")
    elif kind in CHECKS and value is not None:
        try:
            CHECKS[kind](value)
        except ChannelError as error:
            raise SettingError(f"{error}, or null") from None
    return value


def _is_address(value: Any) -> bool:
    """An https:// address; http:// leads to this machine or network at most, where those are allowed at all."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or parts.query or parts.fragment or "@" in parts.netloc:
        return False
    if parts.scheme == "http":
        return settings().allow_private_addresses and is_private(host)
    return parts.scheme == "https"


def read(key: str) -> Any:
    """A setting's value now, or its default."""
    with session():
        found = Setting.get_or_none(Setting.key == key)
    return SETTINGS[key].default if found is None else _stored(found)


def read_all() -> dict[str, Any]:
    """Every setting's value now."""
    with session():
        stored = {entry.key: _stored(entry) for entry in Setting.select()}
    return {key: stored.get(key, definition.default) for key, definition in SETTINGS.items()}


def _stored(entry: Setting) -> Any:
    return entry.value if entry.secret is None else entry.secret


def change(key: str, value: Any) -> None:
    """Store a setting. Raises SettingError or KeyError."""
    value = checked(key, value)
    with session():
        if value is None:  # only where the default is null: back to it, since a row can't hold SQL's null
            Setting.delete().where(Setting.key == key).execute()
            return
        # Of a secret the row's value says only that it is there.
        held = {"value": True, "secret": value} if SETTINGS[key].secret else {"value": value}
        Setting.insert(key=key, **held).on_conflict(
            conflict_target=[Setting.key], preserve=[Setting.value, Setting.secret, Setting.updated_at]
        ).execute()
