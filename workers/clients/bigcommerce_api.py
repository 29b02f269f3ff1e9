"""BigCommerce's HTTP: one store, its paging, and its errors in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from workers.clients.bigcommerce_rows import PAGE
from workers.clients.http import Answer, Gate, Transport
from workers.clients.typed import parse
from workers.errors import AuthenticationRefused, BadAnswer, RemoteError, ScopeMissing

T = TypeVar("T")

SCOPES = {
    "/v3/catalog/": "store_v2_products",
    "/v3/inventory/locations": "store_locations",
    "/v3/inventory/": "store_inventory",
    "/v3/channels": "store_channel_settings",
    "/v2/store": "store_v2_information_read_only",
}
REPEATED = "repeated_page"
UNASKED = "unasked_row"
MOST_PAGES = 1_000  # of one list that is read whole: a server that always names a next page must not hold us


@dataclass(frozen=True)
class BigCommerceConnection:
    """Where a store is and how to enter.

    channel_ids: empty = the whole store. location_id None = the store's only enabled location.
    details: ShopFacts.details of the last run, so that what was found once isn't asked again.
    """

    site_id: int
    store_hash: str
    access_token: str = field(repr=False)
    api_url: str = "https://api.bigcommerce.com"
    channel_ids: tuple[int, ...] = ()
    location_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Listed(Generic[T]):
    """One page. `total` rows match over all pages."""

    rows: list[T]
    total: int
    pages: int


class BigCommerceApi(Transport):
    """Calls to `/stores/{store_hash}`; paths begin with v2 or v3."""

    def __init__(
        self, connection: BigCommerceConnection, gate: Gate | None, *, allow_private: bool | None = None
    ) -> None:
        super().__init__(
            "BigCommerce",
            base_url=f"{connection.api_url.rstrip('/')}/stores/{connection.store_hash}",
            headers={"X-Auth-Token": connection.access_token},
            gate=gate,
            allow_private=allow_private,
        )

    def page(self, path: str, rows: TypeAdapter[list[T]], params: Mapping[str, Any]) -> Listed[T]:
        """One page of a v3 list. Raises BadAnswer where a row is not as documented."""
        route = path.removeprefix("v3/")
        answer = self.request("GET", path, route=route, params=params)
        frame = parse(PAGE, answer.json(), f"BigCommerce {route}")
        paging = frame.meta.pagination
        return Listed(parse(rows, frame.data, f"BigCommerce {route}"), paging.total, paging.total_pages)

    def all_rows(self, path: str, rows: TypeAdapter[list[T]], params: Mapping[str, Any]) -> list[T]:
        """Every page of a list that a filter keeps small. Raises BadAnswer where a page was given twice."""
        first = self.page(path, rows, params)
        found = list(first.rows)
        if first.pages > MOST_PAGES:
            raise BadAnswer(f"BigCommerce {path}: {first.pages} pages were announced", code="too_many_pages")
        before = first.rows
        for number in range(2, first.pages + 1):
            following = self.page(path, rows, {**params, "page": number}).rows
            if following and following == before:
                raise BadAnswer(f"BigCommerce {path}: page {number} is the one before again", code=REPEATED)
            found.extend(following)
            before = following
        return found

    def explain(self, answer: Answer) -> tuple[str | None, str] | None:
        """v3: `{"title", "errors": {field: message}}`; v2: a list of `{"message"}`."""
        texts = _texts(answer.json())
        return (None, "; ".join(texts)) if texts else None

    def error_for(self, answer: Answer) -> RemoteError:
        """The usual errors, with what a person has to do about a 401 and the scope that a 403 asks for."""
        error = super().error_for(answer)
        if isinstance(error, AuthenticationRefused):
            words = (
                f"{error}: the store does not take the access_token (any more), so give this site a new one"
            )
            return AuthenticationRefused(words, status=error.status, code=error.code)
        if not isinstance(error, ScopeMissing):
            return error
        path = "/" + answer.url.partition("?")[0].partition("/stores/")[2].partition("/")[2]
        scope = next((scope for prefix, scope in SCOPES.items() if path.startswith(prefix)), None)
        hint = f"the access token lacks the scope {scope}" if scope else "the access token lacks a scope"
        return ScopeMissing(f"{error} ({hint})", status=error.status, code=scope or error.code)


def refusal_text(answer: Answer) -> str:
    """All that a 422 says, in one text: where a row is named is not documented for every case."""
    try:
        body = answer.json()
    except BadAnswer:
        return f"status {answer.status}"
    return "; ".join(_texts(body)) or f"status {answer.status}"


def _texts(body: Any) -> list[str]:
    """The readable strings of an error body, without its links."""
    if isinstance(body, str):
        return [] if body.startswith(("http://", "https://", "about:")) else [body]
    if isinstance(body, Mapping):
        parts = [body.get(key) for key in ("title", "detail", "message", "errors", "batch_errors")]
        known = [text for part in parts for text in _texts(part)]
        return known or [text for value in body.values() for text in _texts(value)]
    if isinstance(body, list):
        return [text for part in body for text in _texts(part)]
    return []
