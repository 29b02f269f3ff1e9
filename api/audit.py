"""Every request that may change something is in the audit log, whichever view answers it."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request

from workers import audit

READING = ("GET", "HEAD", "OPTIONS")


def init_app(app: Flask) -> None:
    """Note such requests; after `auth.init_app`, so that it is known who asks."""
    app.before_request(_begin)
    app.after_request(_finish)


def note(*, actor: str = "", subject: str = "", **detail: Any) -> None:
    """Say more of what this request does: who it was, what it made, names of fields. Never a secret."""
    known = g.setdefault("audit_known", {"actor": "", "subject": "", "detail": {}})
    known["actor"], known["subject"] = actor or known["actor"], subject or known["subject"]
    known["detail"].update(detail)


def _begin() -> None:
    if request.endpoint is None or request.method in READING:
        return
    g.audit_entry = audit.begin(
        g.get("principal"),
        request.endpoint.removeprefix("panel."),
        subject=", ".join(
            f"{name.removesuffix('_id')} {value}" for name, value in (request.view_args or {}).items()
        ),
        address=request.remote_addr or "",
        request_id=g.request_id,
    )


def _finish(response: Response) -> Response:
    entry = g.pop("audit_entry", None)
    if entry is not None:
        known = g.get("audit_known", {"actor": "", "subject": "", "detail": {}})
        status = response.status_code
        # A form that is shown again with its errors is no page to remember as done.
        outcome = "done" if status < 400 else "refused" if status < 500 else "failed"
        audit.finish(
            entry,
            outcome,
            {**known["detail"], "status": status},
            actor=known["actor"],
            subject=known["subject"],
        )
    return response
