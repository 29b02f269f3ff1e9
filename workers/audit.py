"""Who did what, and when: written before it is done, so that no end of a process can hide it."""

from __future__ import annotations

import json
from typing import Any

from models.database import execute, row
from workers.principals import Principal


def begin(
    who: Principal | None,
    action: str,
    *,
    subject: str = "",
    address: str = "",
    request_id: str | None = None,
) -> int:
    """Note that somebody asks for something; gives the entry's id. who None: nobody has signed in."""
    found = row(
        "INSERT INTO rm_audit_log (actor_kind, actor_id, actor, action, subject, address, request_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            who.kind if who else "nobody",
            who.id if who else None,
            who.name if who else "",
            action,
            subject,
            address,
            request_id,
        ),
    )
    assert found is not None
    return int(found[0])


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
