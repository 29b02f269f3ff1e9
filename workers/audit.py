"""Who did what, and when: written before it is done, so that no end of a process can hide it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from models.audit import AuditEntry
from models.database import execute, row, rows, session
from workers.principals import Operator, Principal


def begin(
    who: Principal | Operator | None,
    action: str,
    *,
    subject: str = "",
    address: str = "",
    request_id: str | None = None,
    detail: dict[str, Any] | None = None,
) -> int:
    """Note that somebody asks for something; gives the entry's id. who None: nobody has signed in."""
    found = row(
        "INSERT INTO rm_audit_log (actor_kind, actor_id, actor, action, subject, address, request_id, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            who.kind if who else "nobody",
            who.id if who else None,
            who.name if who else "",
            action,
            subject,
            address,
            request_id,
            json.dumps(detail or {}),
        ),
    )
    assert found is not None
    return int(found[0])


def entries(
    *,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    most: int,
) -> list[AuditEntry]:
    """The newest entries first, from the one before this id on. actor, action: exactly these."""
    query = AuditEntry.select().order_by(AuditEntry.id.desc()).limit(most)
    if actor is not None:
        query = query.where(AuditEntry.actor == actor)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    with session():
        if since is not None:
            # Entries come in the order of their ids, and by ids each of the filters has an index.
            found = row("SELECT id FROM rm_audit_log WHERE at >= %s ORDER BY at LIMIT 1", (since,))
            if found is None:
                return []
            query = query.where(AuditEntry.id >= found[0], AuditEntry.at >= since)
        if before is not None:
            query = query.where(AuditEntry.id < before)
        return list(query)


def actions() -> list[str]:
    """Every action that the log holds; by the index from one to the next, however long the log is."""
    return [found[0] for found in rows(_ACTIONS)]


_ACTIONS = """
    WITH RECURSIVE found AS (
        (SELECT action FROM rm_audit_log ORDER BY action LIMIT 1)
        UNION ALL
        SELECT (SELECT action FROM rm_audit_log WHERE action > found.action ORDER BY action LIMIT 1)
        FROM found WHERE found.action IS NOT NULL
    )
    SELECT action FROM found WHERE action IS NOT NULL
"""


def finish(
    entry: int, outcome: str, detail: dict[str, Any] | None = None, *, actor: str = "", subject: str = ""
) -> None:
    """Note what became of it, and what became known on the way.

    detail: names of fields and figures, never a secret. actor, subject: where they were not known before.
    """
    execute(
        "UPDATE rm_audit_log SET outcome = %s, detail = detail || %s::jsonb,"
        " actor = coalesce(nullif(%s, ''), actor), subject = coalesce(nullif(%s, ''), subject)"
        " WHERE id = %s AND outcome = 'begun'",
        (outcome, json.dumps(detail or {}, default=str), actor, subject, entry),
    )
