"""What every answer of every web process has: a request id, safe headers, strict JSON, a line in the log."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any, NoReturn

import structlog
from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from models.config import settings

log = structlog.get_logger()

DELIVERIES = "webhooks"  # the receivers' blueprint
LARGEST_BODY = 1024 * 1024  # bytes; the largest honest body is a few kilobytes
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_QUIET = (
    "/healthz",
    "/readyz",
    "/metrics",
    "/static/<path:filename>",
)  # asked for very often, and tell little


class StrictJson(DefaultJSONProvider):
    """JSON as the RFC has it: no NaN, no nesting that breaks the parser; keys stay in their order."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises ValueError for whatever is not JSON."""
        try:
            return json.loads(s, parse_constant=_refuse_constant, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def init_app(app: Flask) -> None:
    """Give an app its edges."""
    app.json = StrictJson(app)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.strict_slashes = False
    if proxies := settings().trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    there = {name.lower() for name, _ in response.headers}
    response.headers.extend([pair for pair in _HEADERS.items() if pair[0].lower() not in there])
    response.headers["X-Request-ID"] = g.get("request_id", "")
    # Of a delivery rm_webhook_log tells more; a flood of forgeries must not fill the log instead.
    delivered = request.blueprint == DELIVERIES and response.status_code < 500
    if str(request.url_rule) not in _QUIET and not (delivered and response.status_code == 200):
        (log.debug if delivered else log.info)(
            "request",
            action="request",
            method=request.method,
            # The rule, not the path: an address may be anything, and ids make poor groups.
            route=str(request.url_rule) if request.url_rule else None,
            status=response.status_code,
            milliseconds=round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000),
        )
    return response


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("not JSON")
