"""One declaration a route: its address, scope, input, answer and errors. Enforced and documented from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Response, current_app, g, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, RootModel
from werkzeug.exceptions import HTTPException

from api import audit
from api.auth import needs
from api.errors import CONTENT_TYPE, ProblemError
from workers.errors import FieldError
from workers.forms import LARGEST_BIGINT, LARGEST_ID

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = "/api/v1"
ROW = f"<int(max={LARGEST_ID}):%s>"  # a number that no row can have is an address that doesn't exist
BIG_ROW = f"<int(max={LARGEST_BIGINT}):%s>"

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ALWAYS = (401, 403, 500, 503)


def row_path(name: str, *, big: bool = False) -> str:
    """`/{name}` for the id of a row."""
    return "/" + (BIG_ROW if big else ROW) % name


def blueprint(noun: str, description: str, *, prefix: str = PREFIX, name: str | None = None) -> APIBlueprint:
    """The routes of one noun, such as `/api/v1/sites`."""
    return APIBlueprint(
        name or noun.replace("-", "_"),
        __name__,
        url_prefix=f"{prefix}/{noun}",
        abp_tags=[Tag(name=noun, description=description)],
        operation_id_callback=_operation_id,
    )


def route(
    api: APIBlueprint,
    method: str,
    rule: str,
    *,
    scope: str,
    answer: type[BaseModel] | None = None,
    status: int = 200,
    errors: Sequence[int] = (),
) -> Callable[[F], F]:
    """Mount a view that returns its answer as a model (None: 204 without a body)."""

    def mount(view: F) -> F:
        annotations = view.__annotations__
        takes_body, takes_query = "body" in annotations, "query" in annotations
        faults = {*errors, *_ALWAYS, *((400, 413, 415, 422) if takes_body else ())}
        faults |= ({422} if takes_query else set()) | ({404} if "path" in annotations else set())

        @functools.wraps(view)
        def answering(**arguments: Any) -> Response:
            if "body" in arguments:
                audit.note(fields=sorted(_inner(arguments["body"]).model_fields_set))
            result = view(**arguments)
            if status == HTTPStatus.CREATED:
                audit.note(subject=f"id {_inner(result).id}", name=_inner(result).name)
            if result is None:
                return Response(status=204)
            body = current_app.json.dumps(result.model_dump(mode="json", by_alias=True)) + "\n"
            return Response(body, status, content_type="application/json")

        answering.takes_body = takes_body  # type: ignore[attr-defined]
        documented = {status if answer else 204: answer, **{code: _documented(code) for code in faults}}
        getattr(api, method.lower())(
            rule,
            responses=dict(sorted(documented.items())),
            security=[{"bearer": [scope]}],
            description=_description(view, scope),
            openapi_extensions={"x-scope": scope},
        )(needs(scope)(answering))
        return view

    return mount


def _inner(model: Any) -> Any:
    """A site is one of several models behind a common name."""
    return model.root if isinstance(model, RootModel) else model


def check_body() -> None:
    """Before a view that takes a body: 415, 400 or 422 for what isn't a JSON object.

    flask-openapi3 would take malformed JSON for no body at all and complain of a missing model.
    """
    if not getattr(current_app.view_functions.get(request.endpoint or ""), "takes_body", False):
        return
    if not request.is_json and request.get_data(cache=True):
        raise ProblemError(415, "not_json", "The body must be JSON, with Content-Type: application/json.")
    try:
        body = request.get_json(force=True)
    except HTTPException as error:
        if error.code == 413:
            raise
        raise ProblemError(400, "malformed_json", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        wrong = FieldError("body", "must be a JSON object")
        raise ProblemError(422, "invalid_fields", "Some fields are not valid.", [wrong])


def request_id() -> str:
    """The id of this request, which the jobs that it causes carry on."""
    return str(g.request_id)


def _documented(status: int) -> dict[str, Any]:
    return {"description": _WHY[status], "content": {CONTENT_TYPE: {"schema": _PROBLEM}}}


def _description(view: Callable[..., Any], scope: str) -> str:
    rest = (view.__doc__ or "").strip().partition("\n")[2]
    told = "\n".join(line.strip() for line in rest.strip().splitlines())
    return f"{told}\n\nNeeds a token of scope `{scope}`.".strip()


def _operation_id(*, bp_name: str, name: str, path: str, method: str) -> str:
    return f"{bp_name}.{name}"


_WHY = {
    400: "The body is not JSON.",
    401: "No token, or one that is unknown or revoked.",
    403: "The token's scope is not enough.",
    404: "There is no such row.",
    409: "Not possible as things stand: `code` says why.",
    413: "The body is over 1 MiB.",
    415: "The body is not declared as JSON.",
    422: "Some fields are not valid: `errors` names each.",
    500: "A fault of ours; it has been logged under `request_id`.",
    502: "The shop or Business Central did not do what was asked; `detail` says why.",
    503: "PostgreSQL is away: try again after `Retry-After` seconds.",
}
