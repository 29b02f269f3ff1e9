"""One shape for every error: RFC 9457 problem details. What a client sent is never repeated in one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, g
from peewee import InternalError, PeeweeException
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from api import database_trouble
from models.crypto import UndecryptableError
from models.database import DatabaseUnavailable
from workers.database_errors import out_of_space
from workers.errors import (
    ConfigurationError,
    Conflict,
    FieldError,
    InvalidFields,
    InventorySyncError,
    MustWait,
    RemoteError,
    UnknownRecord,
)
from workers.forms import invalid_fields
from workers.full_sync.requests import InactiveSite, RunNotOpen, UnknownRun, UnknownSite

log = structlog.get_logger()

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5  # PostgreSQL is away: a failover takes seconds


class FieldProblem(BaseModel):
    """A field that is wrong, and the fix."""

    field: str
    message: str


class Problem(BaseModel):
    """Any error. `code` is stable, for programs; `errors` names the fields at fault, if any."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem]


class ProblemError(Exception):
    """Raised by views to answer with a problem."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers = tuple(errors), headers or {}


Page = Callable[[ProblemError], Response | None]
"""An error as a page for people, or None where a program has asked."""


def problem(error: ProblemError, **more: Any) -> Response:
    """The answer that tells of an error."""
    as_page: Page | None = current_app.extensions.get("problem_page")
    if as_page is not None and (page := as_page(error)) is not None:
        return page
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": g.get("request_id", ""),
        "errors": [{"field": entry.field, "message": entry.message} for entry in error.errors],
        **more,
    }
    return Response(
        current_app.json.dumps(body) + "\n", error.status, error.headers, content_type=CONTENT_TYPE
    )


def init_app(app: Flask) -> None:
    """Answer every exception in the one shape."""
    app.register_error_handler(ProblemError, problem)
    app.register_error_handler(InventorySyncError, lambda error: problem(_ours(error)))
    app.register_error_handler(ValidationError, lambda error: problem(_ours(invalid_fields(error))))
    app.register_error_handler(UndecryptableError, _unreadable)
    app.register_error_handler(HTTPException, _http)
    for unavailable in DatabaseUnavailable:
        app.register_error_handler(unavailable, _database_away)
    app.register_error_handler(InternalError, _internal)
    app.register_error_handler(Exception, _unexpected)


def refuse(error: ValidationError) -> Response:
    """flask-openapi3's validation callback: its own answer would repeat the input."""
    raise invalid_fields(error)


def _ours(error: InventorySyncError) -> ProblemError:
    match error:
        case InvalidFields():
            return ProblemError(422, "invalid_fields", "Some fields are not valid.", error.errors)
        case ConfigurationError():
            wrong = FieldError(error.field, error.message)
            return ProblemError(422, "invalid_fields", "Some fields are not valid.", [wrong])
        case UnknownRecord():
            return ProblemError(404, f"unknown_{error.kind}", f"There is no such {error.kind}.")
        case UnknownSite():
            return ProblemError(404, "unknown_site", "There is no such site.")
        case UnknownRun():
            return ProblemError(404, "unknown_run", "There is no such sync run.")
        case InactiveSite():
            return ProblemError(409, "site_inactive", "The site is not active: make it active first.")
        case RunNotOpen():
            return ProblemError(409, "run_not_open", "The sync run is over.")
        case RemoteError():
            return ProblemError(502, "remote_failed", _sentence(str(error)))
        case MustWait():
            wait = {"Retry-After": str(math.ceil(error.seconds))}
            return ProblemError(503, "rate_limited", _sentence(str(error)), headers=wait)
        case Conflict():
            fields = [FieldError(error.field, error.message)] if error.field else []
            return ProblemError(409, error.code, _sentence(error.message), fields)
    log.error("unexpected error of our own", action="request", exc_info=error)
    return ProblemError(500, "internal_error", "Something went wrong here; it has been logged.")


def sentence_of(error: InventorySyncError) -> str:
    """An error as one sentence a fault, for a page that goes on in spite of it."""
    found = _ours(error)
    faults = [_sentence(f"{fault.field.replace('_', ' ')} {fault.message}") for fault in found.errors]
    return " ".join(faults) or found.detail


def _http(error: HTTPException) -> Response | HTTPException:
    if isinstance(error, RequestRedirect) or error.code is None:
        return error
    code, detail = _HTTP.get(error.code, ("http_error", HTTPStatus(error.code).phrase + "."))
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return problem(ProblemError(error.code, code, detail, headers=kept))


_HTTP = {
    400: ("bad_request", "The request can't be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address doesn't take this method: see the Allow header."),
    413: ("body_too_large", "The body is too large."),
    415: ("not_json", "The body must be JSON, with Content-Type: application/json."),
}


def _unreadable(error: Exception) -> Response:
    log.error("a stored secret can't be read", action="request", error=str(error))
    return problem(ProblemError(409, "secret_unreadable", _sentence(str(error))))


def _database_away(error: Exception) -> Response:
    # A full pool, a failover, a statement that took too long: the next try may well pass.
    code, detail = database_trouble.told(error)
    log.error("the database is unavailable", action="request", error=type(error).__name__, code=code)
    wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem(ProblemError(503, code, detail, headers=wait))


def _internal(error: Exception) -> Response:
    # PostgreSQL has no code of its own for a quota; else it is a fault of ours, or it only reads.
    return _database_away(error) if out_of_space(error) else _unexpected(error)


def _unexpected(error: Exception) -> Response:
    # psycopg2's messages quote the statement's values, so of a database error only the kind is logged.
    shown = {"error": type(error).__name__} if isinstance(error, PeeweeException) else {"exc_info": error}
    log.error("unexpected error", action="request", **shown)
    return problem(ProblemError(500, "internal_error", "Something went wrong here; it has been logged."))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
