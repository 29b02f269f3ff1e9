"""Who may call: Basic over TLS, keys in the query over TLS, OAuth 1.0a one-legged over plain HTTP."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from oauthlib.oauth1.rfc5849 import signature

from ..counters import Counters
from ..wire import RefusalError, Request
from .answers import refuse

OAUTH_PARTS = (
    "oauth_consumer_key",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
)
OAUTH_WINDOW = 15 * 60  # seconds a timestamp may be off, either way
_VERIFY: dict[str, Any] = {
    "HMAC-SHA1": signature.verify_hmac_sha1,
    "HMAC-SHA256": signature.verify_hmac_sha256,
}


@dataclass
class Key:
    """A REST key of the shop."""

    consumer_key: str
    consumer_secret: str
    permissions: str = "read_write"  # or read


@dataclass
class _Signed:
    """What oauthlib's verification reads."""

    uri: str
    http_method: str
    params: list[tuple[str, str]]
    signature: str


@dataclass
class Gate:
    """Checks every call. `url` is the shop's own: signatures are made over it, not over the Host header."""

    url: str
    key: Key
    counters: Counters
    basic_over_http: bool = False
    strips_authorization: bool = False  # some hosts drop the header before PHP sees it
    _nonces: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, request: Request) -> None:
        """Raises RefusalError with the 401 that the shop would give."""
        authorization = "" if self.strips_authorization else request.header("authorization")
        scheme = authorization.partition(" ")[0].lower()
        given = self._plain_credentials(request, authorization)
        if given is not None and (request.secure or self.basic_over_http):
            self._check_secret(*given)
        elif scheme == "oauth" or "oauth_consumer_key" in request.query:
            self._check_oauth(request, authorization)
        else:
            if given is not None:
                # The shop does not look at Basic over plain HTTP, yet the secret has gone over the wire.
                self.counters.violation("secret_over_http", request.path)
            raise cannot_view()
        if request.method != "GET" and self.key.permissions == "read":
            raise bad_credentials("The API key provided does not have write permissions.")

    def _plain_credentials(self, request: Request, authorization: str) -> tuple[str, str] | None:
        query = request.query
        if "consumer_key" in query:
            return query["consumer_key"], query.get("consumer_secret", "")
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return key, secret

    def _check_secret(self, consumer_key: str, consumer_secret: str) -> None:
        if consumer_key != self.key.consumer_key:
            raise cannot_view()
        if consumer_secret != self.key.consumer_secret:
            raise bad_credentials("Consumer secret is invalid.")

    def _check_oauth(self, request: Request, authorization: str) -> None:
        headers = {"Authorization": authorization} if authorization.lower().startswith("oauth ") else None
        pairs = signature.collect_parameters(
            uri_query=request.raw_query, headers=headers, exclude_oauth_signature=False
        )
        given = dict(pairs)
        missing = [name for name in OAUTH_PARTS if not given.get(name)]
        if missing:
            raise bad_credentials(f"Missing OAuth parameter {', '.join(missing)}")
        if given["oauth_consumer_key"] != self.key.consumer_key:
            raise cannot_view()
        verify = _VERIFY.get(given["oauth_signature_method"])
        if verify is None:
            raise bad_credentials("Invalid signature - signature method is invalid.")
        signed = _Signed(
            uri=self.url + request.target.partition("?")[0],
            http_method=request.method,
            params=[(name, value) for name, value in pairs if name != "oauth_signature"],
            signature=given["oauth_signature"],
        )
        # The secret is followed by `&` and nothing: there is no token.
        if not verify(signed, self.key.consumer_secret, ""):
            raise bad_credentials("Invalid signature - provided signature does not match.")
        self._check_fresh(given["oauth_timestamp"], given["oauth_nonce"])

    def _check_fresh(self, timestamp: str, nonce: str) -> None:
        now = time.time()
        if not timestamp.isdecimal() or abs(now - int(timestamp)) > OAUTH_WINDOW:
            raise bad_credentials("Invalid timestamp.")
        with self._lock:
            if nonce in self._nonces:
                self.counters.violation("nonce_reused", nonce)
                raise bad_credentials("Invalid nonce - nonce has already been used.")
            self._nonces[nonce] = now
            if len(self._nonces) > 20_000:
                self._nonces = {n: at for n, at in self._nonces.items() if now - at <= OAUTH_WINDOW}


def cannot_view() -> RefusalError:
    """No key, an unknown key, or a header that never arrived: the shop can't tell these apart."""
    return refuse("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401)


def bad_credentials(message: str) -> RefusalError:
    return refuse("woocommerce_rest_authentication_error", message, 401)
