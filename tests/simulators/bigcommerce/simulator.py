"""A BigCommerce store's API as a server: `/stores/{hash}/v3` and `/v2`."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from ..routing import Route
from ..simulator import Simulator
from ..wire import RefusalError, Request, Response, json_response
from .answers import error, page_of
from .catalog_api import CatalogApi
from .catalog_writes import CatalogWrites
from .hooks_api import HooksApi
from .inventory_api import InventoryApi
from .landing import Lander
from .quota import Quota, rate_headers
from .sending import BigCommerceSending, Sender
from .store import BigCommerceStore

V2 = "/stores/{hash}/v2"
V3 = "/stores/{hash}/v3"
ALL_SCOPES = frozenset(
    {
        "store_v2_products",
        "store_inventory",
        "store_locations",
        "store_channel_settings",
        "store_v2_information_read_only",
    }
)
# The scope that a path needs; a token with the `_read_only` twin may GET. Time and hooks need none.
_SCOPE_OF = {
    "/store": "store_v2_information_read_only",
    "/catalog": "store_v2_products",
    "/inventory/locations": "store_locations",
    "/inventory": "store_inventory",
    "/channels": "store_channel_settings",
}


@dataclass(frozen=True)
class Identity:
    """What a site is configured with."""

    store_hash: str
    store_id: str
    access_token: str
    client_secret: str


class BigCommerceSimulator(Simulator):
    """One store."""

    def __init__(self, name: str, store: BigCommerceStore, seed: int, port: int = 0) -> None:
        super().__init__(name, port)
        rng = random.Random(f"{seed}:{name}:identity")
        self.identity = Identity(
            f"s{rng.getrandbits(40):010x}",
            str(rng.randint(1_000_000, 1_999_999)),
            f"bctoken{rng.getrandbits(96):024x}",
            f"bcsecret{rng.getrandbits(192):048x}",
        )
        self.store = store
        self.scopes: frozenset[str] = ALL_SCOPES
        self.quota = Quota()
        self.headers_on_429 = True
        self.lander = Lander(store, seed)
        self.hooks = HooksApi(self.identity.store_hash, self.counters)
        sender = Sender(self.identity.store_hash, self.identity.store_id, self.identity.client_secret)
        self.sending = BigCommerceSending(sender, store, self.hooks, self.counters.error)
        self._add_routes()

    def _add_routes(self) -> None:
        catalog = CatalogApi(self.store, self.counters)
        inventory = InventoryApi(self.store, catalog, self.lander, self.counters)
        writes = CatalogWrites(self.store, self.counters)
        self.route("GET", V2, "/time", lambda r: json_response({"time": int(time.time())}))
        self.route("GET", V2, "/store", self._store_information)
        self.route("GET", V3, "/catalog/products", catalog.products)
        self.route("GET", V3, "/catalog/products/channel-assignments", catalog.assignments)
        self.route("GET", V3, "/catalog/products/{id}", catalog.product)
        self.route("GET", V3, "/catalog/variants", catalog.variants)
        self.route("GET", V3, "/inventory/items", inventory.items)
        self.route("GET", V3, "/inventory/locations", inventory.locations)
        self.route("GET", V3, "/channels", self._channels)
        self.route("PUT", V3, "/inventory/adjustments/absolute", inventory.adjust_absolute, writes_stock=True)
        self.route("PUT", V3, "/catalog/variants", writes.variants, writes_stock=True)
        self.route("PUT", V3, "/catalog/products", writes.products, writes_stock=True)
        self.route("GET", V3, "/hooks", self.hooks.index)
        self.route("POST", V3, "/hooks", self.hooks.create)
        self.route("GET", V3, "/hooks/admin", self.hooks.admin)
        self.route("GET", V3, "/hooks/{id}", self.hooks.show)
        self.route("PUT", V3, "/hooks/{id}", self.hooks.update)
        self.route("DELETE", V3, "/hooks/{id}", self.hooks.delete)

    def check(self, request: Request, route: Route) -> None:
        if request.params["hash"] != self.identity.store_hash:
            raise RefusalError(error(404, "The requested store was not found"))
        if request.header("x-auth-token") != self.identity.access_token:
            raise RefusalError(error(401, "X-Auth-Token is missing or not valid"))
        if not self.quota.take():
            self.counters.violation("quota_overspent", request.target)
            raise RefusalError(self.error_answer(429, None if not self.headers_on_429 else 0))
        self._check_headers(request)
        self._check_scope(request, route)

    def _check_headers(self, request: Request) -> None:
        if "application/json" not in request.header("accept"):
            # v2 answers XML to whoever does not ask for JSON; refusing everywhere shows it sooner.
            self.counters.violation("accept_missing", f"Accept: {request.header('accept')}")
            raise RefusalError(error(406, "Accept: application/json is required"))
        if request.body and not request.header("content-type").startswith("application/json"):
            self.counters.violation("content_type_missing", request.target)
            raise RefusalError(error(415, "Content-Type: application/json is required"))

    def _check_scope(self, request: Request, route: Route) -> None:
        needed = next((scope for start, scope in _SCOPE_OF.items() if route.template.startswith(start)), None)
        if needed is None or needed in self.scopes:
            return
        if request.method == "GET" and f"{needed}_read_only" in self.scopes:
            return
        self.counters.refusal("missing_scope")
        raise RefusalError(error(403, "You don't have a required scope to access the endpoint"))

    def finish(self, request: Request, route: Route | None, response: Response) -> None:
        if response.status not in (401, 404, 429):
            response.headers.update(self.quota.headers())

    def concurrent_write(self, request: Request) -> None:
        """Two absolutes at once have no order: counted, served, and landed in either order."""
        self.counters.violation("concurrent_writes", request.target)
        request.params["overlapped"] = "yes"

    def error_answer(self, status: int, retry_after: int | None) -> Response:
        title = {
            401: "X-Auth-Token is missing or not valid",
            429: "Your store has reached its rate limit",
            503: "The store is down for maintenance",
        }.get(status, "An unexpected error occurred")
        response = error(status, title)
        if status == 503 and retry_after is not None:
            response.headers["X-Retry-After"] = str(retry_after)
        if status == 429 and retry_after is not None:
            if retry_after:  # by the fault plan: what it says, whatever the quota
                response.headers.update(
                    rate_headers(self.quota.window_seconds, retry_after, self.quota.requests, 0)
                )
                response.headers["X-Retry-After"] = str(retry_after)
            else:
                response.headers.update(self.quota.headers())
        return response

    def unknown_route(self, request: Request) -> Response:
        return error(404, "The requested resource was not found")

    def _store_information(self, request: Request) -> Response:
        return json_response(
            {
                "id": self.identity.store_hash,
                "store_id": self.identity.store_id,
                "name": self.name,
                "domain": f"{self.name}.example",
                "default_channel_id": 1,
                "features": {"multi_storefront_enabled": len(self.store.channels) > 1},
            }
        )

    def _channels(self, request: Request) -> Response:
        rows = [
            b'{"id":%d,"name":"Storefront %d","type":"storefront","platform":"bigcommerce","status":"active"}'
            % (c, c)
            for c in self.store.channels
        ]
        return page_of(request, rows, len(rows), 1, 50)
