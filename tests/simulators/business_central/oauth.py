"""Microsoft's token endpoint: client credentials only."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from ..wire import Request, Response, json_response

SCOPE = "https://api.businesscentral.dynamics.com/.default"
DEFAULT_TTL = 3599  # seconds; what Microsoft usually answers


@dataclass
class TokenService:
    """One app registration. Tokens die at their time, or all at once when revoked."""

    tenant: str
    client_id: str
    client_secret: str
    ttl: float = DEFAULT_TTL
    secret_expired: bool = False
    issued: int = 0
    _valid_until: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request, tenant: str) -> Response:
        """A token, or the error that Microsoft would give. All of these are permanent."""
        if not request.header("content-type").startswith("application/x-www-form-urlencoded"):
            return _error(
                400, "invalid_request", 900144, "The request body must contain the parameter: 'grant_type'."
            )
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            return _error(
                400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
            )
        if tenant != self.tenant:
            return _error(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("client_id") != self.client_id:
            return _error(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        if self.secret_expired:
            return _error(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        if form.get("client_secret") != self.client_secret:
            return _error(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if form.get("scope") != SCOPE:
            return _error(400, "invalid_scope", 70011, "The provided value for 'scope' is not valid.")
        return json_response(
            {
                "token_type": "Bearer",
                "expires_in": int(self.ttl),
                "ext_expires_in": int(self.ttl),
                "access_token": self._issue(),
            }
        )

    def _issue(self) -> str:
        token = f"sim.{secrets.token_urlsafe(900)}"  # as long as a real one: some 1,200 characters
        with self._lock:
            self.issued += 1
            self._valid_until[token] = time.monotonic() + self.ttl
        return token

    def accepts(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        with self._lock:
            return scheme == "Bearer" and self._valid_until.get(token, 0) > time.monotonic()

    def revoke(self) -> None:
        with self._lock:
            self._valid_until.clear()


def _error(status: int, name: str, code: int, text: str) -> Response:
    return json_response(
        {
            "error": name,
            "error_description": f"AADSTS{code}: {text} Trace ID: simulated",
            "error_codes": [code],
            "trace_id": "simulated",
            "correlation_id": "simulated",
        },
        status,
    )
