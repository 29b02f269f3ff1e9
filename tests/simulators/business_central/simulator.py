"""BC's API v2.0 as a server."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..counters import REQUESTS
from ..routing import Route
from ..simulator import Simulator
from ..wire import RefusalError, Request, Response, json_response
from .limits import Limits, TooManyRequestsError
from .oauth import TokenService
from .odata import ODataError, Query, parse_query
from .pages import count_items, entries_page, items_page, simple_page
from .store import ENTRY_FIELDS, ITEM_FIELDS, BusinessCentralStore, render_item

API = "/v2.0/{tenant}/{environment}/api/v2.0"
COMPANY = "/companies({company})"
MAX_QUERY = 8_099  # characters of the query string; one more is 414
TOKEN_ROUTE = "/oauth2/v2.0/token"


class BusinessCentralSimulator(Simulator):
    """One tenant, one environment, one company with stock and one empty company beside it."""

    def __init__(self, name: str, store: BusinessCentralStore, seed: int, port: int = 0) -> None:
        super().__init__(name, port)
        rng = random.Random(f"{seed}:bc-identity")
        guid = lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))  # noqa: E731
        self.store = store
        self.tenant_id, self.environment = guid(), "Production"
        self.company_id, self.empty_company_id = guid(), guid()
        self.oauth = TokenService(self.tenant_id, guid(), f"bc~secret.{rng.getrandbits(64):x}")
        self.limits = Limits()
        self.max_page_size = 20_000
        self.retry_after_on_429 = False  # documented for 502 and 503; on 429 it may be missing
        self.permitted = True
        self._add_routes()

    def _add_routes(self) -> None:
        self.route("POST", "/{tenant}", TOKEN_ROUTE, lambda r: self.oauth.answer(r, r.params["tenant"]))
        self.route("GET", API, "/companies", self._companies)
        self.route("GET", API, COMPANY, self._company)
        items, entries = COMPANY + "/items", COMPANY + "/itemLedgerEntries"
        self.route("GET", API, items, self._listing(ITEM_FIELDS, "id", items_page))
        self.route("GET", API, items + "/$count", self._items_count)
        self.route("GET", API, items + "({id})", self._item)
        self.route("GET", API, entries, self._listing(ENTRY_FIELDS, "entryNumber", entries_page))
        for name, rows in _SMALL_TABLES.items():
            self.route("GET", API, f"{COMPANY}/{name}", self._small_table(rows))
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            self.route(method, API, items, self._item_write)
            self.route(method, API, items + "({id})", self._item_write)

    @property
    def api_url(self) -> str:
        return f"{self.server.url}/v2.0/{self.tenant_id}/{self.environment}/api/v2.0"

    @property
    def token_url(self) -> str:
        return f"{self.server.url}/{self.tenant_id}{TOKEN_ROUTE}"

    # What the gateway does before BC looks at anything

    @contextmanager
    def occupy(self, request: Request, route: Route) -> Iterator[None]:
        if route.template == TOKEN_ROUTE:
            yield
            return
        with self.counters.under_way(REQUESTS):
            try:
                with self.limits.place():
                    self.counters.peak("in window", self.limits.in_window())
                    yield
            except TooManyRequestsError as error:
                self.counters.violation(f"too_many_requests: {error}", request.target)
                retry_after = 1 if self.retry_after_on_429 else None
                raise RefusalError(self.error_answer(429, retry_after)) from None

    def check(self, request: Request, route: Route) -> None:
        if route.template == TOKEN_ROUTE:
            return
        if len(request.raw_query) > MAX_QUERY:
            self.counters.violation("query_too_long", f"{len(request.raw_query)} characters")
            raise RefusalError(Response(414, b"<h2>URI Too Long</h2>", "text/html; charset=us-ascii"))
        if not self.oauth.accepts(request.header("authorization")):
            raise RefusalError(self.error_answer(401, None))
        if request.params["tenant"] != self.tenant_id or request.params["environment"] != self.environment:
            # Unconfirmed: the code. That an unknown environment is 404 is what can be relied on.
            raise RefusalError(self._error(404, "NoEnvironment", "Environment does not exist."))
        if not self.permitted:
            # Unconfirmed: the code of a missing permission set.
            raise RefusalError(
                self._error(403, "Authorization_RequestDenied", "No permission for this action.")
            )
        company = request.params.get("company")
        if company is not None and company not in (self.company_id, self.empty_company_id):
            raise RefusalError(
                self._error(404, "Internal_CompanyNotFound", f"Cannot find company '{company}'.")
            )
        if "data-access-intent" in request.headers and "/items" in route.template:
            self.counters.violation("data_access_intent", "a replica's stock may be old")

    def error_answer(self, status: int, retry_after: int | None) -> Response:
        code, message = {
            401: ("Authentication_InvalidCredentials", "The server has rejected the client credentials."),
            429: ("Application_TooManyRequests", "Too many requests reached."),
            503: ("Internal_TenantUnavailable", "The tenant is unavailable."),
        }.get(status, ("Internal_ServerError", "An unexpected error occurred."))
        response = self._error(status, code, message)
        if retry_after is not None and status in (429, 503):
            response.headers["Retry-After"] = str(retry_after)
        return response

    def revoke(self) -> None:
        self.oauth.revoke()

    def unknown_route(self, request: Request) -> Response:
        return self._error(
            404, "BadRequest_NotFound", "No HTTP resource was found that matches the request URI."
        )

    def _error(self, status: int, code: str, message: str) -> Response:
        text = f"{message}  CorrelationId:  {uuid.uuid4()}."
        return json_response({"error": {"code": code, "message": text}}, status)

    # The entities

    def _listing(
        self,
        fields: dict[str, Any],
        order_field: str,
        page: Callable[[BusinessCentralStore, Query, int], tuple[bytes, int | None, str | None]],
    ) -> Callable[[Request], Response]:
        def handler(request: Request) -> Response:
            query = self._query(request, fields, order_field)
            if request.params["company"] == self.empty_company_id:
                return self._page(request, query, b"", 0, None)
            try:
                return self._page(request, query, *page(self.store, query, self._page_size(request)))
            except TypeError:  # a literal of another type than its field
                self.counters.violation("bad_filter", request.target)
                raise RefusalError(
                    self._error(400, "BadRequest", "The types in the filter differ.")
                ) from None

        return handler

    def _query(self, request: Request, fields: dict[str, Any], order_field: str) -> Query:
        try:
            query = parse_query(request.raw_query, fields, order_field)
        except ODataError as error:
            self.counters.violation(error.violation, request.target)
            raise RefusalError(self._error(error.status, error.code, error.message)) from None
        if query.skip:
            self.counters.violation("skip_paging", request.target)
        return query

    def _page_size(self, request: Request) -> int:
        prefer = request.header("prefer").replace(" ", "")
        _, _, asked = prefer.partition("odata.maxpagesize=")
        digits = asked.split(",")[0].split(";")[0]
        return (
            min(int(digits), self.max_page_size) if digits.isdecimal() and int(digits) else self.max_page_size
        )

    def _page(
        self, request: Request, query: Query, rows: bytes, count: int | None, token: str | None
    ) -> Response:
        path = request.target.partition("?")[0]
        head = f'{{"@odata.context":"{self.api_url}/$metadata"'
        if query.count and count is not None:
            head += f',"@odata.count":{count}'
        tail = "]"
        if token is not None:
            top = [] if query.top is None else [f"$top={query.top - self._page_size(request)}"]
            options = "&".join(["aid=FIN", *query.kept, *top, f"$skiptoken={token}"])
            tail += f',"@odata.nextLink":"{self.server.url}{path}?{options}"'
        return Response(200, f'{head},"value":['.encode() + rows + f"{tail}}}".encode())

    def _items_count(self, request: Request) -> Response:
        query = self._query(request, ITEM_FIELDS, "id")
        count = 0 if request.params["company"] == self.empty_company_id else count_items(self.store, query)
        return Response(200, str(count).encode(), "text/plain")

    def _item(self, request: Request) -> Response:
        query = self._query(request, ITEM_FIELDS, "id")
        with self.store.lock:
            item = self.store.by_id.get(request.params["id"].lower())
            if item is None or request.params["company"] == self.empty_company_id:
                return self._error(404, "Internal_RecordNotFound", "The item does not exist.")
            return Response(200, render_item(item, query.select))

    def _item_write(self, request: Request) -> Response:
        """A PATCH of `inventory` posts a journal line in a real BC: nobody may ever send one."""
        self.counters.violation("item_write", f"{request.method} {request.target}")
        return self._error(405, "BadRequest_MethodNotAllowed", "Entity does not support this operation.")

    def _companies(self, request: Request) -> Response:
        return json_response(
            {"value": [self._company_row(i) for i in (self.company_id, self.empty_company_id)]}
        )

    def _company(self, request: Request) -> Response:
        return json_response(self._company_row(request.params["company"]))

    def _company_row(self, guid: str) -> dict[str, str]:
        name = "CRONUS" if guid == self.company_id else "EMPTY"
        return {"id": guid, "name": name, "displayName": name.title()}

    def _small_table(self, rows: list[dict[str, str]]) -> Callable[[Request], Response]:
        def handler(request: Request) -> Response:
            return self._page(request, Query(), simple_page(rows), None, None)

        return handler


_SMALL_TABLES: dict[str, list[dict[str, str]]] = {
    "locations": [
        {"id": str(uuid.UUID(int=1)), "code": "MAIN", "displayName": "Main warehouse"},
        {"id": str(uuid.UUID(int=2)), "code": "SHOWROOM", "displayName": "Showroom"},
    ],
    "itemVariants": [
        {"id": str(uuid.UUID(int=3)), "itemNumber": "VARIANT-ITEM", "code": "RED", "description": "Red"},
    ],
}
