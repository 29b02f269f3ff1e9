"""The form of a site: what was typed, as workers/site_forms.py takes it, and what a form shows of a site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import request
from pydantic import TypeAdapter, ValidationError

from models.site import BIGCOMMERCE, DEFAULT_BIGCOMMERCE_API_URL, PLATFORMS, Site
from workers.choices import Choice
from workers.site_forms import ONLY_FOR

TEXTS = ("name", "store_hash", "api_url", "url", "full_sync_time")
NUMBERS = ("company", "location_id", "safety_stock")
SECRETS = ("access_token", "consumer_key", "consumer_secret", "webhook_secret", "webhook_header_value")
REMOVABLE = ("webhook_secret", "webhook_header_value")  # a shop can be synced without them
OFTEN_EMPTY = (
    "api_url",
    "full_sync_time",
    "location_id",
)  # empty: the default, the common time, the only one
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NEW: dict[str, Any] = {
    "platform": BIGCOMMERCE,
    "safety_stock": 0,
    "full_sync_enabled": True,
    "active": True,
    "webhook_proofs": ["signature"],
    "channel_ids": [],
}

Offered = Mapping[str, list[Choice]]
"""What the store has to choose from: `channels` and `locations`."""


def typed(platform: str | None) -> dict[str, Any]:
    """The fields of a platform's form; numbers that are none stay text, for the form's own complaint."""
    form = request.form
    others = set().union(*(fields for name, fields in ONLY_FOR.items() if name != platform))
    values: dict[str, Any] = {name: form.get(name, "").strip() for name in TEXTS}
    values |= {name: _number(form.get(name, "").strip()) for name in NUMBERS}
    values |= {name: value for name in SECRETS if (value := form.get(name, ""))}  # empty keeps what is there
    values["channel_ids"] = [_number(part) for part in _parts(form.getlist("channel_ids"))]
    values["webhook_proofs"] = form.getlist("webhook_proofs")
    values["full_sync_enabled"] = "full_sync_enabled" in form
    values |= {name: None for name in OFTEN_EMPTY if values[name] == ""}
    values["safety_stock"] = 0 if values["safety_stock"] == "" else values["safety_stock"]
    return {name: value for name, value in values.items() if name not in others}


def platform() -> str | None:
    """The platform that was chosen."""
    found = request.form.get("platform")
    return found if found in PLATFORMS else None


def shown_again() -> dict[str, Any]:
    """What was typed, for the form that is shown once more; secrets stay out."""
    values = {name: value for name, value in typed(None).items() if name not in SECRETS}
    own = {name: request.form.get(name, "") for name in (*TEXTS, *NUMBERS)}
    channels = _parts(request.form.getlist("channel_ids"))
    flags = {"active": "active" in request.form, "platform": platform() or BIGCOMMERCE}
    ticked = {f"remove_{name}": f"remove_{name}" in request.form for name in REMOVABLE}
    return values | own | flags | ticked | {"channel_ids": channels}


def shown(site: Site | None) -> dict[str, Any]:
    """What a form shows before anybody types: a stored site, or one to make."""
    if site is None:
        return dict(_NEW)
    names = (*TEXTS, "location_id", "safety_stock", "channel_ids", "webhook_proofs", "full_sync_enabled")
    values = {name: getattr(site, name) for name in names}
    if site.platform == BIGCOMMERCE and site.api_url == DEFAULT_BIGCOMMERCE_API_URL:
        values["api_url"] = ""
    return values | {"platform": site.platform, "company": site.company_id}


def changes(site: Site) -> dict[str, Any]:
    """Of what was typed, what differs from what is stored: nothing else is touched. None: a secret is to go."""
    before = {**shown(site), "api_url": site.api_url}
    values = typed(site.platform)
    if values.get("api_url", ...) is None:
        values["api_url"] = DEFAULT_BIGCOMMERCE_API_URL
    given = {name: value for name, value in values.items() if name in SECRETS or value != before[name]}
    removed = {name: None for name in REMOVABLE if _goes(site, name)}
    return removed | given  # a new secret replaces the old one


def _goes(site: Site, name: str) -> bool:
    return f"remove_{name}" in request.form and getattr(site, name) is not None


def secrets_set(site: Site | None) -> dict[str, bool]:
    """Which secrets are stored; nothing of them is ever shown."""
    return {name: site is not None and getattr(site, name) is not None for name in SECRETS}


def offered() -> Offered | None:
    """What the store had to choose from when it was asked, as the form carries it along."""
    try:
        return _OFFERED.validate_json(request.form.get("offered", ""))
    except ValidationError:
        return None


def pack(choices: Offered | None) -> str:
    """The same, for the form to carry along."""
    return "" if choices is None else _OFFERED.dump_json(dict(choices)).decode()


_OFFERED: TypeAdapter[dict[str, list[Choice]]] = TypeAdapter(dict[str, list[Choice]])


def _parts(given: list[str]) -> list[str]:
    return [part for text in given for part in re.split(r"[\s,;]+", text) if part]


def _number(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text
