"""A WooCommerce shop's REST v3 as a server."""

from __future__ import annotations

import random
import ssl

from ..routing import Handler, Route
from ..simulator import Simulator
from ..wire import RefusalError, Request, Response, html_response, json_response
from .answers import error
from .auth import Gate, Key
from .listing import Listing
from .rendering import Renderer
from .sending import WooCommerceSending
from .store import WooCommerceStore
from .webhooks_api import WebhooksApi
from .writing import Writing

API = "/wp-json/wc/v3"
MAINTENANCE_SECONDS = 600
UTC_OFFSET = 2.0  # hours; a shop east of Greenwich, where mixing up its two clocks loses changes


class WooCommerceSimulator(Simulator):
    """One shop. Plain HTTP takes OAuth 1.0a only, unless told otherwise; with `tls`, Basic."""

    def __init__(
        self, name: str, store: WooCommerceStore, seed: int, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(name, port, tls)
        rng = random.Random(f"{seed}:{name}:identity")
        self.store = store
        key = Key(f"ck_{rng.getrandbits(160):040x}", f"cs_{rng.getrandbits(160):040x}")
        self.gate = Gate(self.server.url, key, self.counters)
        self.flat_variations = True
        self.maintenance = False
        self.redirect_to = ""  # e.g. https://www.shop.example: what stood under our URL has moved there
        self.renderer = Renderer(store, self.server.url, UTC_OFFSET)
        self.writing = Writing(store, self.renderer, self.counters)
        self.webhooks = WebhooksApi(self.server.url)
        self.sending = WooCommerceSending(name, store, self.renderer, self.webhooks, self.counters.error)
        self._add_routes(Listing(store, self.renderer, self.server.url))

    def _add_routes(self, listing: Listing) -> None:
        one, variations = "/products/{id}", "/products/{id}/variations"
        self.route("GET", API, "/products", listing.products)
        for method in ("POST", "PUT", "PATCH"):
            self._write(method, "/products/batch", self.writing.batch)
            self._write(method, variations + "/batch", self.writing.batch_variations)
            self._write(method, one, self.writing.single)
            self._write(method, variations + "/{variation_id}", self.writing.single_variation)
        self.route("GET", API, one, _with_numbers(listing.one))
        self.route("GET", API, variations, _with_numbers(listing.variations))
        self.route("GET", API, variations + "/{variation_id}", _with_numbers(listing.one_variation))
        self.route("GET", API, "/variations", self._flat(listing.all_variations))
        self.route("GET", API, "/settings/products/woocommerce_manage_stock", self._manage_stock)
        self.route("GET", API, "/system_status", self._system_status)
        self.route("GET", API, "/webhooks", self.webhooks.index)
        self.route("POST", API, "/webhooks", self.webhooks.create)
        self.route("GET", API, "/webhooks/{id}", self.webhooks.show)
        self.route("DELETE", API, "/webhooks/{id}", self.webhooks.delete)
        for method in ("POST", "PUT", "PATCH"):
            self.route(method, API, "/webhooks/batch", self.webhooks.batch)
            self.route(method, API, "/webhooks/{id}", self.webhooks.update)

    def _write(self, method: str, template: str, handler: Handler) -> None:
        self.route(method, API, template, _with_numbers(handler), writes_stock=True)

    def check(self, request: Request, route: Route) -> None:
        self._check_open(request)
        self.gate.check(request)

    def _check_open(self, request: Request) -> None:
        if self.redirect_to:
            raise RefusalError(
                Response(301, b"", "text/html", {"Location": self.redirect_to + request.target})
            )
        if self.maintenance:
            raise RefusalError(self._maintenance(request))

    def _maintenance(self, request: Request) -> Response:
        headers = {"Retry-After": str(MAINTENANCE_SECONDS)}
        text = "Briefly unavailable for scheduled maintenance. Check back in a minute."
        if "application/json" not in request.header("accept"):
            return html_response(503, text, headers)
        response = error("wp_die", text, 503)
        response.headers.update(headers)
        return response

    def error_answer(self, status: int, retry_after: int | None) -> Response:
        """429 comes from hosts and firewalls, as HTML; 503 asks to come back like maintenance does."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if status == 429:
            return html_response(429, "Too Many Requests", headers)
        code, message = {
            401: ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
            503: ("wp_die", "Briefly unavailable for scheduled maintenance."),
        }.get(status, ("internal_server_error", "There has been a critical error on this website."))
        response = error(code, message, status)
        if status == 503:
            response.headers.update(headers)
        return response

    def unknown_route(self, request: Request) -> Response:
        self._check_open(request)
        return _no_route()

    def _flat(self, listing: Handler) -> Handler:
        """Not there before 10.3."""
        return lambda request: listing(request) if self.flat_variations else _no_route()

    def _manage_stock(self, request: Request) -> Response:
        return json_response(
            {
                "id": "woocommerce_manage_stock",
                "label": "Manage stock",
                "type": "checkbox",
                "default": "yes",
                "value": "yes" if self.store.stock_managed else "no",
            }
        )

    def _system_status(self, request: Request) -> Response:
        version = "10.5.0" if self.flat_variations else "9.8.5"
        return json_response(
            {"environment": {"home_url": self.server.url, "version": version, "wp_version": "6.8"}}
        )


def _no_route() -> Response:
    return error("rest_no_route", "No route was found matching the URL and request method.", 404)


def _with_numbers(handler: Handler) -> Handler:
    """WordPress' routes take digits for an id; anything else is no route."""

    def numbered(request: Request) -> Response:
        return handler(request) if all(v.isdecimal() for v in request.params.values()) else _no_route()

    return numbered
