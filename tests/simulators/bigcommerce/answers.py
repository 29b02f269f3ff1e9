"""The shapes of BigCommerce's answers: pages, errors, problem documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from ..wire import RefusalError, Request, Response, json_response

DEFAULT_LIMIT = 50
MAX_LIMIT = 250


def error(status: int, title: str, errors: dict[str, str] | None = None) -> Response:
    """v3's error body; `errors` may be empty, as it may be on the real one."""
    body = {
        "status": status,
        "title": title,
        "type": "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes",
        "errors": errors or {},
    }
    return json_response(body, status)


def problem(title: str, errors: dict[str, str] | None = None) -> Response:
    """422 `application/problem+json`, as the inventory API answers."""
    response = error(422, title, errors)
    response.content_type = "application/problem+json"
    return response


def refuse(status: int, title: str, errors: dict[str, str] | None = None) -> RefusalError:
    return RefusalError(error(status, title, errors))


def whole(request: Request, name: str, default: int, highest: int | None = None) -> int:
    """A whole number of the query, from 1 on."""
    text = request.query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise refuse(422, f"The value of '{name}' is not valid", {name: "must be a whole number from 1 on"})
    if highest is not None and int(text) > highest:
        # Unconfirmed whether the store refuses or silently lowers it; refusing shows the mistake at once.
        raise refuse(422, f"The value of '{name}' is not valid", {name: f"must be at most {highest}"})
    return int(text)


def id_list(text: str, name: str) -> set[int]:
    """The value of an `...:in` filter of ids."""
    try:
        return {int(piece) for piece in text.split(",")}
    except ValueError:
        raise refuse(422, f"The filter '{name}' is not valid", {name: "must be a list of ids"}) from None


def page_of(request: Request, rows: Sequence[bytes], total: int, page: int, limit: int) -> Response:
    """A page: `rows` are the already serialised rows of this page only."""
    pages = -(-total // limit)
    rest = [(name, value) for name, value in request.pairs if name not in ("page", "limit")]

    def link(number: int) -> str:
        return "?" + urlencode([*rest, ("page", number), ("limit", limit)])

    links = {"current": link(page)}
    if page > 1:
        links["previous"] = link(page - 1)
    if page < pages:
        links["next"] = link(page + 1)
    pagination: dict[str, Any] = {
        "total": total,
        "count": len(rows),
        "per_page": limit,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }
    meta = json.dumps({"pagination": pagination}).encode()
    return Response(200, b'{"data":[' + b",".join(rows) + b'],"meta":' + meta + b"}")
