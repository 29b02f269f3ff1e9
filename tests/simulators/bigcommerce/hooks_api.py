"""`/hooks`: stored, not delivered. A later issue delivers: it listens on `BigCommerceStore.listeners`."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from ..wire import Request, Response, json_response
from .answers import refuse

MAX_PER_SCOPE = 10  # per scope and client


class HooksApi:
    """Hooks are visible only to the token that made them."""

    def __init__(self, store_hash: str) -> None:
        self._store_hash = store_hash
        self.hooks: dict[int, dict[str, Any]] = {}
        self.owners: dict[int, str] = {}
        self.any_destination = False  # on for tests whose receiver is not HTTPS on 443
        self._next_id = 30_000

    def _mine(self, request: Request) -> list[dict[str, Any]]:
        token = request.header("x-auth-token")
        return [hook for number, hook in self.hooks.items() if self.owners[number] == token]

    def index(self, request: Request) -> Response:
        hooks = self._mine(request)
        pagination = {
            "total": len(hooks),
            "count": len(hooks),
            "per_page": 50,
            "current_page": 1,
            "total_pages": 1,
        }
        return json_response({"data": hooks, "meta": {"pagination": {**pagination, "links": {}}}})

    def create(self, request: Request) -> Response:
        body = self._body(request)
        scope, destination = body.get("scope"), body.get("destination")
        if not isinstance(scope, str) or not scope.startswith("store/"):
            raise refuse(422, "The scope is not valid", {"scope": "invalid"})
        self._check_destination(destination)
        if sum(1 for hook in self._mine(request) if hook["scope"] == scope) >= MAX_PER_SCOPE:
            raise refuse(422, "Too many hooks on this scope", {"scope": f"at most {MAX_PER_SCOPE}"})
        self._next_id += 1
        now = int(time.time())
        hook = {
            "id": self._next_id,
            "client_id": "simulated",
            "store_hash": self._store_hash,
            "scope": scope,
            "destination": destination,
            "headers": body.get("headers") or {},
            "is_active": bool(body.get("is_active", True)),
            "created_at": now,
            "updated_at": now,
        }
        self.hooks[self._next_id] = hook
        self.owners[self._next_id] = request.header("x-auth-token")
        return json_response({"data": hook, "meta": {}})

    def show(self, request: Request) -> Response:
        return json_response({"data": self._found(request), "meta": {}})

    def update(self, request: Request) -> Response:
        hook, body = self._found(request), self._body(request)
        if "destination" in body:
            self._check_destination(body["destination"])
        hook.update({k: v for k, v in body.items() if k in ("scope", "destination", "headers", "is_active")})
        hook["updated_at"] = int(time.time())
        return json_response({"data": hook, "meta": {}})

    def delete(self, request: Request) -> Response:
        hook = self._found(request)
        del self.hooks[hook["id"]]
        return json_response({"data": hook, "meta": {}})

    def admin(self, request: Request) -> Response:
        """The status of the hooks and the domains that are blocked for failing."""
        hooks = [{"hook_id": hook["id"], "is_active": hook["is_active"]} for hook in self._mine(request)]
        return json_response(
            {"data": {"hooks_list": hooks, "blocked_domains": [], "email_addresses": []}, "meta": {}}
        )

    def _found(self, request: Request) -> dict[str, Any]:
        number = request.params["id"]
        for hook in self._mine(request):
            if str(hook["id"]) == number:
                return hook
        raise refuse(404, "The requested resource was not found")

    def _check_destination(self, destination: object) -> None:
        parts = urlsplit(destination) if isinstance(destination, str) else None
        if self.any_destination and parts:
            return
        if parts is None or parts.scheme != "https" or parts.port not in (None, 443):
            raise refuse(422, "The destination is not valid", {"destination": "must be HTTPS on port 443"})

    @staticmethod
    def _body(request: Request) -> dict[str, Any]:
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise refuse(422, "The body is not a JSON object")
        return body
