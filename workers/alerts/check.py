"""Alerts opened, changed and resolved: compare what is wrong now with what is open, and tell of the difference.

An advisory lock lets one look at a time pass, from its reading to its commit, so that none writes what it read
before another one's. Each change and the jobs that tell of it are one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import structlog

from models.database import DatabaseUnavailable, row, rows
from models.fields import utc_text
from workers import ledger
from workers.alerts import channels, conditions, refusals
from workers.alerts.conditions import SEND, Condition
from workers.alerts.message import Message
from workers.database_errors import retried
from workers.jobs import SYNC, WEBHOOKS, NewJob, Priority

log = structlog.get_logger()

LOCK = 0x414C5254  # "ALRT"
ATTEMPTS = 900  # five minutes apart at last: a receiver may be away for three days

_OPENED = """
    INSERT INTO rm_alerts (kind, subject, sentence, details, site_id) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (kind, subject) WHERE state = 'open' DO NOTHING RETURNING id, change, changed_at
"""
_CHANGED = """
    UPDATE rm_alerts SET sentence = %s, details = %s, change = change + 1, changed_at = now()
    WHERE id = %s AND state = 'open' AND change = %s RETURNING id, change, changed_at
"""
_RESOLVED = """
    UPDATE rm_alerts SET state = 'resolved', resolved_at = now(), change = change + 1, changed_at = now()
    WHERE id = %s AND state = 'open' AND change = %s RETURNING id, change, changed_at
"""


def check() -> int:
    """Look once; gives how many alerts opened, changed or were resolved. The dispatcher's part.

    Never raises but DatabaseUnavailable: whoever looks has more to do than this.
    """
    try:
        return _check()
    except DatabaseUnavailable:
        raise
    except Exception:
        log.exception("alerts could not be decided", action="alert")
        return 0


@retried
def _check() -> int:
    with ledger.committing():
        if row("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,)) != (True,):
            return 0  # another dispatcher is looking
        refusals.forget()
        told = _differences(conditions.holding())
        ledger.insert(_jobs(told))
    for message in told:
        log.warning("alert", action="alert", news=message.news, kind=message.kind, subject=message.subject,
                    sentence=message.sentence)  # fmt: skip
    return len(told)


def _differences(holding: Sequence[Condition]) -> list[Message]:
    """Write what opened, changed or is over; gives one message for each."""
    open_now = {
        (kind, subject): (alert_id, change, sentence, details, site_id)
        for alert_id, change, kind, subject, sentence, details, site_id in rows(
            "SELECT id, change, kind, subject, sentence, details, site_id FROM rm_alerts WHERE state = 'open'"
        )
    }
    told = []
    for found in holding:
        known = open_now.pop((found.kind, found.subject), None)
        details = json.dumps(dict(found.details))
        if known is None:
            written = row(_OPENED, (found.kind, found.subject, found.sentence, details, found.site_id))
            told += _message(written, "open", found)
        elif known[2] != found.sentence:
            told += _message(row(_CHANGED, (found.sentence, details, *known[:2])), "changed", found)
        elif known[3] != found.details:
            rows("UPDATE rm_alerts SET details = %s WHERE id = %s AND state = 'open'", (details, known[0]))
    for (kind, subject), (alert_id, change, sentence, before, site_id) in open_now.items():
        if site_id is None and subject.startswith("site:"):
            sentence += " (its site was deleted)"
        elif gone := row("SELECT leaving_at IS NULL FROM rm_sites WHERE id = %s AND NOT active", (site_id,)):
            sentence += " (its site is not active any more)" if gone[0] else " (its site was deleted)"
        over = Condition(kind, subject, sentence, before, site_id)
        told += _message(row(_RESOLVED, (alert_id, change)), "resolved", over)
    return told


def _message(written: tuple[Any, ...] | None, news: str, found: Condition) -> list[Message]:
    if written is None:  # somebody else was first
        return []
    alert_id, change, at = written
    return [
        Message(
            alert_id,
            change,
            found.kind,
            found.subject,
            news,
            found.sentence,
            utc_text(at) or "",
            _site(found.site_id),
            dict(found.details),
        )
    ]


def _site(site_id: int | None) -> dict[str, Any] | None:
    if site_id is None:
        return None
    found = row("SELECT id, name FROM rm_sites WHERE id = %s AND leaving_at IS NULL", (site_id,))
    return None if found is None else {"id": found[0], "name": found[1]}


def _jobs(told: Sequence[Message]) -> list[NewJob]:
    """One job a message and channel. No site of theirs: a shop's breaker must not hold back what is said of it."""
    names = channels.configured() if told else []
    return [
        NewJob(
            kind=SEND,
            # Of workers that have stopped the others tell.
            queue=WEBHOOKS if message.subject == f"queue:{SYNC}" else SYNC,
            priority=Priority.PERSON,
            payload={"channel": channel, "message": message.stores()},
            unique_key=key(message.alert_id, message.change, channel),
            max_attempts=ATTEMPTS,
        )
        for message in told
        for channel in names
    ]


def key(alert_id: int, change: int, channel: str) -> str:
    """The unique key of the one job that tells of a change by a channel."""
    return f"{SEND}:{alert_id}:{change}:{channel}"
