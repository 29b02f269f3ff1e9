"""The shapes of WooCommerce's answers: errors, pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from ..wire import RefusalError, Request, Response, json_response

DEFAULT_PER_PAGE = 10
MAX_PER_PAGE = 100


def error_body(code: str, message: str, status: int, **more: Any) -> dict[str, Any]:
    return {"code": code, "message": message, "data": {"status": status, **more}}


def error(code: str, message: str, status: int, **more: Any) -> Response:
    return json_response(error_body(code, message, status, **more), status)


def refuse(code: str, message: str, status: int, **more: Any) -> RefusalError:
    return RefusalError(error(code, message, status, **more))


def invalid_param(name: str, why: str) -> RefusalError:
    return refuse("rest_invalid_param", f"Invalid parameter(s): {name}", 400, params={name: why})


def whole(request: Request, name: str, default: int, highest: int | None = None) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise invalid_param(name, f"{name} must be greater than or equal to 1")
    if highest is not None and int(text) > highest:
        raise invalid_param(name, f"{name} must be between 1 (inclusive) and {highest} (inclusive)")
    return int(text)


def page_of(
    request: Request, url: str, rows: Sequence[bytes], total: int, page: int, per_page: int
) -> Response:
    """A page of already serialised rows. A page past the end is `[]` with the right totals."""
    pages = -(-total // per_page)
    rest = [
        (name, value) for name, value in request.pairs if name != "page" and not name.startswith("oauth_")
    ]

    def link(number: int, relation: str) -> str:
        return f'<{url}{request.path}?{urlencode([*rest, ("page", number)])}>; rel="{relation}"'

    links = [link(min(page - 1, max(pages, 1)), "prev")] if page > 1 else []
    if page < pages:
        links.append(link(page + 1, "next"))
    response = Response(200, b"[" + b",".join(rows) + b"]", "application/json; charset=UTF-8")
    response.headers["X-WP-Total"] = str(total)
    response.headers["X-WP-TotalPages"] = str(pages)
    if links:
        response.headers["Link"] = ", ".join(links)
    return response
