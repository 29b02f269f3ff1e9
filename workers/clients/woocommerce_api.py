"""WooCommerce's HTTP: three ways to send the keys, its paging headers, and its errors in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, SIGNATURE_TYPE_QUERY
from pydantic import TypeAdapter
from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth
from requests_oauthlib import OAuth1

from workers.clients.http import Answer, Gate, Transport
from workers.clients.typed import parse
from workers.errors import AuthenticationRefused, NotFound, RemoteError, ScopeMissing, Unavailable

T = TypeVar("T")

UNKNOWN_KEY = "woocommerce_rest_cannot_view"  # also what a host answers for that strips Authorization
BAD_SECRET = "woocommerce_rest_authentication_error"  # noqa: S105 - a code; also a read-only key that writes
NO_ROUTE = "rest_no_route"


@dataclass(frozen=True)
class WooCommerceConnection:
    """Where a shop is and how to enter.

    url: the shop's home page. details: ShopFacts.details of the last run: `flat_variations`, `auth`.
    """

    site_id: int
    url: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def secure(self) -> bool:
        return urlsplit(self.url).scheme.lower() == "https"


@dataclass(frozen=True)
class Listed(Generic[T]):
    """One page, and what the paging headers say of the whole list."""

    rows: list[T]
    total: int
    pages: int


class QueryKeys(AuthBase):
    """The keys as query parameters: for hosts that strip Authorization. Over https only."""

    def __init__(self, key: str, secret: str) -> None:
        self._keys = {"consumer_key": key, "consumer_secret": secret}

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.prepare_url(request.url, self._keys)
        return request


def auth_for(connection: WooCommerceConnection, mode: str) -> AuthBase:
    """Basic or query keys over https; over http OAuth 1.0a, which never sends the secret.

    The signature travels in the query, where no host strips it.
    """
    keys = connection.consumer_key, connection.consumer_secret
    if not connection.secure:
        return OAuth1(*keys, signature_method=SIGNATURE_HMAC_SHA256, signature_type=SIGNATURE_TYPE_QUERY)
    return QueryKeys(*keys) if mode == "query" else HTTPBasicAuth(*keys)


class WooCommerceApi(Transport):
    """Calls below `/wp-json/wc/v3/`. `mode` is how the keys are sent over https: basic or query."""

    def __init__(
        self,
        connection: WooCommerceConnection,
        gate: Gate | None,
        *,
        mode: str = "basic",
        allow_private: bool | None = None,
    ) -> None:
        super().__init__(
            "WooCommerce",
            base_url=f"{connection.url.rstrip('/')}/wp-json/wc/v3",
            auth=auth_for(connection, mode),
            gate=gate,
            secrets=(connection.consumer_key, connection.consumer_secret),
            allow_private=allow_private,
        )
        self.mode = mode

    def listed(
        self, path: str, rows: TypeAdapter[list[T]], params: Mapping[str, Any], *, route: str | None = None
    ) -> Listed[T]:
        """One page of a list. Raises BadAnswer where a row or a paging header is not as documented."""
        answer = self.request("GET", path, route=route or path, params=params)
        found = parse(rows, answer.json(), f"WooCommerce {route or path}")
        return Listed(found, _header(answer, "X-WP-Total"), _header(answer, "X-WP-TotalPages"))

    def explain(self, answer: Answer) -> tuple[str | None, str] | None:
        body = answer.json()
        return (str(body["code"]), str(body.get("message") or ""))

    def error_for(self, answer: Answer) -> RemoteError:
        """The usual errors, but told apart where a host, a firewall or WordPress speaks for WooCommerce."""
        error = super().error_for(answer)
        if isinstance(error, ScopeMissing) and error.code is None:
            # not WooCommerce's words: a firewall, which may let the next request pass
            words = f"{error}: a firewall or the host refused it, not WooCommerce"
            return Unavailable(words, status=error.status)
        if isinstance(error, AuthenticationRefused) and "nonce" in str(error).lower():
            # a signed request that was sent again after a lost connection
            return Unavailable(str(error), status=error.status, code=error.code)
        if isinstance(error, AuthenticationRefused) and error.code is None:
            words = f"{error}: not WooCommerce's answer; is the whole site behind a password?"
            return AuthenticationRefused(words, status=error.status)
        if isinstance(error, AuthenticationRefused):
            words = (
                f"{error}: give this site a consumer_key that may read and write, with its consumer_secret"
            )
            return AuthenticationRefused(words, status=error.status, code=error.code)
        if isinstance(error, NotFound) and error.code in (None, NO_ROUTE):
            why = "WooCommerce is not active, or too old" if error.code else "no WordPress REST API is there"
            return NotFound(f"{error}: {why}", status=error.status, code=error.code)
        return error


def _header(answer: Answer, name: str) -> int:
    value = answer.headers.get(name, "")
    if not value.isdecimal():
        raise answer.bad(f"the header {name} is missing", "paging_headers")
    return int(value)
