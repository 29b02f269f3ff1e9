"""Access: the audit log, who did what and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, request
from werkzeug.wrappers import Response

from api.auth import needs
from api.panel import words
from api.panel.look import page
from api.rest import lists
from workers import audit, clock, users

PAGE = 50
NAMES_OFFERED = 200
SINCE = (
    ("", "whenever"),
    ("1h", "an hour ago"),
    ("24h", "a day ago"),
    ("7d", "a week ago"),
    ("30d", "30 days ago"),
)
_SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


def blueprint() -> Blueprint:
    """`/access/audit`."""
    pages = Blueprint("audit_log", __name__)
    pages.get("/access/audit")(show_all)
    return pages


@needs("admin")
def show_all() -> Response:
    """What was asked for, the newest first; filters live in the address."""
    before = lists.decode(request.args.get("cursor"), "audit", [int])
    actor, action = request.args.get("actor", "").strip(), request.args.get("action", "")
    found = audit.entries(
        actor=actor or None,
        action=action or None,
        since=_since(request.args.get("since", "")),
        before=before[0] if before else None,
        most=PAGE + 1,
    )
    shown, following = lists.page("audit", found, PAGE, lambda entry: [entry.id])
    return page(
        "audit.html",
        title="Audit log",
        entries=shown,
        next=following,
        actions=[("", "anything"), *((name, words.deed(name)) for name in audit.actions())],
        names=[person.name for person in users.people(NAMES_OFFERED)],
        since=SINCE,
    )


def _since(word: str) -> datetime | None:
    """A span before now, or a day; what can't be read filters nothing."""
    if word in _SPANS:
        return clock.now() - _SPANS[word]
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
