"""Settings: what operators may change while everything runs, a form a group."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from flask import Blueprint, flash, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs, requested_by
from api.panel.look import errors_of, go, may, page
from models import setting
from models.setting import SETTINGS
from workers import setting_changes, timetable
from workers.alerts import channels
from workers.errors import Conflict, InvalidFields

LONGEST_MESSAGE = 300  # characters; it travels in a cookie
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_INPUTS = {"url": "url", "mailbox": "email"}  # kind -> type of the input; else text


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that are changed together. labels: key -> what the field is called."""

    name: str
    title: str
    about: str
    labels: Mapping[str, str]


GROUPS = (
    Group(
        "retention",
        "Retention",
        "What is older is deleted by the daily clean-up.",
        {
            "webhook_log_retention_days": "Days of webhook deliveries",
            "queue_retention_days": "Days of jobs and runs",
        },
    ),
    Group(
        "schedule",
        "Schedule",
        "When the nightly work starts. A shop may have a time of its own.",
        {
            "timezone": "Time zone",
            "full_sync_time": "Full sync of all shops",
            "cleanup_time": "Clean-up",
            "schedule_latest_minutes": "Latest start in minutes",
        },
    ),
    Group(
        "guard",
        "Guard",
        "Where too many SKUs would fall to zero at once, they are held until somebody has looked.",
        {
            "guard_share_percent": "Largest share in percent",
            "guard_least_skus": "SKUs that may always fall",
            "guard_answer_percent": "Smallest answer in percent",
        },
    ),
    Group(
        "alerts",
        "Alerts",
        "Who is told when something needs somebody, and from when on it does.",
        {
            "alert_webhook_url": "Webhook address",
            "smtp_url": "Mail server",
            "alert_email_to": "E-mail to",
            "alert_email_from": "E-mail from",
            "alert_failures_in_a_row": "Failed syncs in a row",
            "alert_oldest_job_minutes": "Longest wait of a job in minutes",
        },
    ),
    Group(
        "public-address",
        "Public address",
        "Shops tell of changes here; without it webhooks can't be registered.",
        {"public_webhook_url": "Address of the webhook receivers"},
    ),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One setting as its form has it. value: of a secret only whether it is set; removing: whether it is to go."""

    key: str
    label: str
    help: str
    value: Any
    input: str
    secret: bool
    required: bool
    removing: bool


def blueprint() -> Blueprint:
    """`/settings`."""
    pages = Blueprint("settings", __name__)
    pages.get("/settings")(show)
    pages.post("/settings")(change)
    pages.post("/settings/alerts/test")(test_alerts)
    return pages


@needs("read")
def show() -> Response:
    """All settings; a form for those who may change them."""
    return _page()


@needs("admin")
def change() -> Response:
    """Change one group: all of it, or nothing if one field is wrong."""
    group = next((one for one in GROUPS if one.name == request.form.get("group")), None)
    if group is None:
        raise NotFound
    typed = {key: request.form[key].strip() for key in group.labels if key in request.form}
    try:
        changed = setting_changes.apply(dict(_values(typed)))
    except InvalidFields as error:
        audit.note(subject=group.name, wrong=[entry.field for entry in error.errors])
        return _page(422, group.name, typed, errors_of(error))
    audit.note(subject=group.name, changed=changed)
    if not changed:
        return go(url_for("panel.settings.show"), f"{group.title}: nothing has changed.", "quiet")
    return go(url_for("panel.settings.show"), f"{group.title}: saved.")


@needs("admin")
def test_alerts() -> Response:
    """Send a test by every channel, and tell of each what became of it."""
    here = url_for("panel.settings.show")
    try:
        trials = channels.test(requested_by=requested_by())
    except Conflict as error:
        return go(here, f"No test was sent: {error.message}."[:LONGEST_MESSAGE], "warn")
    audit.note(**{trial.channel: "ok" if trial.ok else "failed" for trial in trials})
    for trial in trials:
        flash(f"Test by {trial.channel}: {trial.message}."[:LONGEST_MESSAGE], "good" if trial.ok else "bad")
    return go(here)


def _values(typed: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """What was typed as the settings' own types; a secret's empty field keeps it, unless it is to go."""
    for key, text in typed.items():
        definition = SETTINGS[key]
        if definition.secret and not text:
            if request.form.get(f"remove_{key}"):
                yield key, None
        elif isinstance(definition.default, int):
            yield key, int(text) if _NUMBER.fullmatch(text) else text
        else:
            yield key, text if text or definition.default is not None else None


def _page(
    status: int = 200, wrong: str = "", typed: Mapping[str, str] | None = None, errors: Any = None
) -> Response:
    values = setting.read_all()
    return page(
        "settings.html",
        status,
        title="Settings",
        groups=[(group, _fields(group, values, typed if group.name == wrong else None)) for group in GROUPS],
        errors={key: message.replace(", or null", ", or empty") for key, message in (errors or {}).items()},
        schedules=list(timetable.schedules()),
        channels=channels.configured(),
        zones=_zones() if may("admin") else (),
    )


def _fields(group: Group, values: Mapping[str, Any], typed: Mapping[str, str] | None) -> list[Field]:
    found = []
    for key, label in group.labels.items():
        definition = SETTINGS[key]
        number = isinstance(definition.default, int)
        value = values[key] is not None if definition.secret else (typed or values).get(key, values[key])
        about = definition.help.replace("Null:", "Empty:")
        kind = "number" if number else _INPUTS.get(definition.kind, "text")
        required = definition.default is not None
        removing = typed is not None and f"remove_{key}" in request.form
        found.append(Field(key, label, about, value, kind, definition.secret, required, removing))
    return found


@functools.cache
def _zones() -> tuple[str, ...]:
    # Reading them goes through hundreds of files.
    return tuple(sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"))
