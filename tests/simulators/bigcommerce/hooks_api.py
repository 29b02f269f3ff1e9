"""`/hooks`: who wants to be told of what, and where."""

from __future__ import annotations

import threading
import time
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from ..counters import Counters
from ..wire import RefusalError, Request, Response, json_response
from .answers import page_of, refuse, whole
from .events import is_scope

Hook = dict[str, Any]
MAX_PER_SCOPE = 10  # per scope and client
_CHANGEABLE = ("scope", "destination", "headers", "is_active")


class HooksApi:
    """Hooks are visible only to the token that made them. A hook is replaced, never changed in place."""

    def __init__(self, store_hash: str, counters: Counters) -> None:
        self._store_hash, self._counters = store_hash, counters
        self._lock = threading.Lock()
        self.hooks: dict[int, Hook] = {}
        self._owners: dict[int, str] = {}
        self.https_only = False  # as the vendor is; off, since a test's receiver is plain HTTP on loopback
        self._next_id = 30_000

    # Calls

    def index(self, request: Request) -> Response:
        page, limit = whole(request, "page", 1), whole(request, "limit", 50, 250)
        hooks = self._mine(request)
        for name in ("scope", "destination"):
            if name in request.query:
                hooks = [hook for hook in hooks if hook[name] == request.query[name]]
        if "is_active" in request.query:
            wanted = request.query["is_active"].lower() in ("1", "true")
            hooks = [hook for hook in hooks if hook["is_active"] is wanted]
        rows = [json_response(hook).body for hook in hooks[(page - 1) * limit : page * limit]]
        return page_of(request, rows, len(hooks), page, limit)

    def create(self, request: Request) -> Response:
        return json_response(
            {"data": self.add(self._body(request), request.header("x-auth-token")), "meta": {}}
        )

    def show(self, request: Request) -> Response:
        return json_response({"data": self._found(request), "meta": {}})

    def update(self, request: Request) -> Response:
        """Also reactivates what failures or idleness have deactivated."""
        body = self._body(request)
        fields = {name: value for name, value in body.items() if name in _CHANGEABLE}
        checks = {"scope": self._scope, "destination": self._destination, "headers": self._headers}
        for name in fields:
            fields[name] = checks.get(name, bool)(fields[name])
        with self._lock:
            hook = self._found(request)
            if fields.get("scope", hook["scope"]) != hook["scope"]:
                self._check_room(request.header("x-auth-token"), fields["scope"])
            hook = self.hooks[hook["id"]] = {**hook, **fields, "updated_at": int(time.time())}
        return json_response({"data": hook, "meta": {}})

    def delete(self, request: Request) -> Response:
        with self._lock:
            hook = self._found(request)
            del self.hooks[hook["id"]], self._owners[hook["id"]]
        return json_response({"data": hook, "meta": {}})

    def admin(self, request: Request) -> Response:
        """The status of the hooks; no domain is ever blocked here."""
        hooks = [{"hook_id": hook["id"], "is_active": hook["is_active"]} for hook in self._mine(request)]
        return json_response(
            {"data": {"hooks_list": hooks, "blocked_domains": [], "email_addresses": []}, "meta": {}}
        )

    # For the sending, and for controls

    def add(self, body: dict[str, Any], token: str) -> Hook:
        """Makes a hook of `scope`, `destination` and perhaps `headers` and `is_active`; raises RefusalError."""
        now, scope = int(time.time()), self._scope(body.get("scope"))
        hook = {
            "client_id": "simulated",
            "store_hash": self._store_hash,
            "scope": scope,
            "destination": self._destination(body.get("destination")),
            "headers": self._headers(body.get("headers")),
            "is_active": bool(body.get("is_active", True)),
            "created_at": now,
            "updated_at": now,
        }
        with self._lock:
            self._check_room(token, scope)
            self._next_id += 1
            hook = self.hooks[self._next_id] = {"id": self._next_id, **hook}
            self._owners[self._next_id] = token
        return hook

    def listening(self, scope: str) -> list[Hook]:
        """Active hooks on a scope; `*` at the end of a hook's scope takes all below."""
        if not self.hooks:  # most syncs are measured without any
            return []
        with self._lock:
            hooks = list(self.hooks.values())
        return [hook for hook in hooks if hook["is_active"] and fnmatchcase(scope, hook["scope"])]

    def active(self, hook_id: int) -> Hook | None:
        with self._lock:
            hook = self.hooks.get(hook_id)
        return hook if hook and hook["is_active"] else None

    def deactivate(self, hook_id: int) -> Hook | None:
        """After the last retry, or 90 days without an event."""
        with self._lock:
            hook = self.hooks.get(hook_id)
            if hook is not None:
                now = int(time.time())
                hook = self.hooks[hook_id] = {**hook, "is_active": False, "updated_at": now}
            return hook

    def forget(self) -> None:
        with self._lock:
            self.hooks.clear()
            self._owners.clear()

    # What is refused

    def _mine(self, request: Request) -> list[Hook]:
        token = request.header("x-auth-token")
        return [hook for number, hook in list(self.hooks.items()) if self._owners.get(number) == token]

    def _found(self, request: Request) -> Hook:
        number = request.params["id"]
        for hook in self._mine(request):
            if str(hook["id"]) == number:
                return hook
        raise refuse(404, "The requested resource was not found")

    def _check_room(self, token: str, scope: str) -> None:
        same = [n for n, hook in self.hooks.items() if hook["scope"] == scope and self._owners[n] == token]
        if len(same) >= MAX_PER_SCOPE:
            self._counters.refusal("too_many_hooks")
            raise refuse(422, "Too many hooks on this scope", {"scope": f"at most {MAX_PER_SCOPE}"})

    def _scope(self, scope: object) -> str:
        if not isinstance(scope, str) or not is_scope(scope):
            raise self._violation("bad_hook_scope", scope, "scope", "is not a scope of webhooks")
        return scope

    def _destination(self, destination: object) -> str:
        text = destination if isinstance(destination, str) else ""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise self._violation("bad_destination", text, "destination", "is not a URL") from None
        secure = parts.scheme == "https" and port in (None, 443)
        if not parts.hostname or not (secure or (parts.scheme in ("http", "https") and not self.https_only)):
            raise self._violation("bad_destination", text, "destination", "must be HTTPS on port 443")
        return text

    def _headers(self, headers: object) -> dict[str, str]:
        if headers is None:
            return {}
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise self._violation("bad_hook_headers", headers, "headers", "must be an object of texts")
        return dict(headers)

    def _violation(self, name: str, given: object, field: str, why: str) -> RefusalError:
        self._counters.violation(name, repr(given))
        return refuse(422, f"The {field} is not valid", {field: why})

    @staticmethod
    def _body(request: Request) -> dict[str, Any]:
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise refuse(422, "The body is not a JSON object")
        return body
