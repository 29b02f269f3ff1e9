"""Two secrets at once: when a site gets a new webhook secret, the old one still counts for a while."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from models.crypto import Secret, UndecryptableError
from models.site import Site
from workers import clock
from workers.errors import FieldError, InvalidFields

OVERLAP = timedelta(hours=24)
"""Long enough to register the new secret, and for the vendor's retries of what the old one signed."""
LONGEST = timedelta(days=7)

UNTIL = "webhook_secret_previous_until"
PREVIOUS = "webhook_secret_previous"


def rotated(site: Site, values: Mapping[str, Any]) -> dict[str, Any]:
    """What else changes with `webhook_secret` or `webhook_secret_previous_until`. Raises InvalidFields.

    A new secret keeps the old one until then (24 hours where nothing is said; null ends it at once). The same
    secret again changes nothing; a secret that is cleared takes the previous one with it.
    """
    until: datetime | None = values.get(UNTIL)
    if until is not None:
        _demand_near(until)
    old = site.webhook_secret
    new = values.get("webhook_secret")
    if "webhook_secret" in values and new is None:
        return {PREVIOUS: None, UNTIL: None}
    known = None if old is None else _revealed(old)
    if new is not None and old is not None and known != new:
        if known is None:
            return {PREVIOUS: None, UNTIL: None}
        if UNTIL not in values:
            until = clock.now() + OVERLAP
        return {PREVIOUS: None if until is None else old, UNTIL: until}
    if UNTIL not in values:
        return {}
    if until is None:
        return {PREVIOUS: None, UNTIL: None}
    if site.webhook_secret_previous is None:
        raise InvalidFields([FieldError(UNTIL, "there is no previous secret: give a new webhook_secret too")])
    return {UNTIL: until}


def _revealed(old: Secret) -> str | None:
    """None: no key can read it. A new secret is the cure, so it must not fail of the old one, nor keep it."""
    try:
        return old.reveal()
    except UndecryptableError:
        return None


def _demand_near(until: datetime) -> None:
    now = clock.now()
    if not now < until <= now + LONGEST:
        raise InvalidFields([FieldError(UNTIL, "must be a time within the next 7 days, or null")])
