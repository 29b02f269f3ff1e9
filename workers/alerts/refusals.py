"""Whose credentials are refused: noted as a job fails by it, forgotten once they are taken again."""

from __future__ import annotations

from collections.abc import Callable

from models.database import execute
from workers.errors import AuthenticationRefused, RemoteError, ScopeMissing
from workers.jobs import Claim

# A site's job that Business Central refused: its company is meant.
_NOTE = """
    INSERT INTO rm_refusals AS r (subject, reason, error, kind, job_id, site_id, company_id)
    SELECT coalesce('company:' || company_id, 'site:' || %(site)s), %(reason)s, %(error)s, %(kind)s, %(job)s,
           %(site)s, company_id
    FROM (SELECT CASE WHEN %(company_refused)s THEN
              coalesce(%(company)s, (SELECT company_id FROM rm_sites WHERE id = %(site)s)) END AS company_id) whose
    ON CONFLICT (subject) DO UPDATE SET reason = excluded.reason, error = excluded.error, kind = excluded.kind,
        job_id = excluded.job_id, site_id = excluded.site_id, company_id = excluded.company_id,
        refused_at = excluded.refused_at
"""
# A job of the same kind that came through (another kind may need another permission), or a whole run that did.
# Jobs before the one that was refused are never read: the site's index begins at it.
_FORGET = """
    DELETE FROM rm_refusals r WHERE
        (r.site_id IS NOT NULL AND EXISTS (
            SELECT FROM rm_queue q WHERE q.site_id = r.site_id AND q.id >= r.job_id AND q.kind = r.kind
              AND q.status = 'completed' AND q.calls > 0 AND q.finished_at > r.refused_at))
        OR (r.site_id IS NULL AND EXISTS (
            SELECT FROM rm_queue q WHERE q.site_id IS NULL AND q.id >= r.job_id AND q.kind = r.kind
              AND q.company_id = r.company_id
              AND q.status = 'completed' AND q.calls > 0 AND q.finished_at > r.refused_at))
        OR EXISTS (
            SELECT FROM rm_sites s JOIN rm_sync_runs n ON n.site_id = s.id
            WHERE (s.id = r.site_id OR s.company_id = r.company_id)
              AND n.status = 'completed' AND n.created_at > r.refused_at)
"""


def noted(claim: Claim, error: RemoteError) -> Callable[[], None] | None:
    """What to write in the transaction that fails a job for this; None where it is no refusal."""
    if not isinstance(error, AuthenticationRefused | ScopeMissing):
        return None
    if claim.site_id is None and claim.company_id is None:
        return None
    parameters = {
        "site": claim.site_id,
        "company": claim.company_id if claim.site_id is None else None,
        "company_refused": claim.site_id is None or error.told_breaker,  # its shop is not to blame
        "reason": "credentials" if isinstance(error, AuthenticationRefused) else "permission",
        "error": str(error),
        "kind": claim.kind,
        "job": claim.id,
    }

    def note() -> None:
        execute(_NOTE, parameters)

    return note


def forget() -> None:
    """Drop those whose credentials have been taken since."""
    execute(_FORGET)
