"""BigCommerce's webhooks: made by our token, seen by our token alone, at most ten on a scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from workers.clients.bigcommerce_api import BigCommerceApi
from workers.clients.hooks import Hook, Proof
from workers.clients.typed import Row, parse
from workers.errors import NotFound

PATH = "v3/hooks"
ROUTE = "hooks"
PAGE_ROWS = 250
MOST_A_SCOPE = 10  # the vendor's, per scope and client


class _Hook(Row):
    id: int
    scope: str
    destination: str
    is_active: bool
    headers: dict[str, Any] | None = None


class _Frame(Row):
    data: _Hook


_HOOKS = TypeAdapter(list[_Hook])
_FRAME = TypeAdapter(_Frame)


class BigCommerceHooks:
    """A HookApi. The vendor deactivates a hook after its last retry, or 90 days without an event; PUT revives it."""

    most: int | None = MOST_A_SCOPE
    revives = True
    proof_readable = True

    def __init__(self, api: BigCommerceApi) -> None:
        self._api = api

    def listed(self) -> list[Hook]:
        """All that this token has made."""
        found = self._api.all_rows(PATH, _HOOKS, {"limit": PAGE_ROWS})
        return [_hook(row) for row in found]

    def create(self, topic: str, destination: str, proof: Proof) -> Hook:
        """Raises Refused where the scope or the destination is not taken."""
        return self._write("POST", PATH, topic, destination, proof.headers)

    def update(self, hook: Hook, proof: Proof) -> Hook:
        """Active again, with these headers and no others."""
        return self._write("PUT", f"{PATH}/{hook.id}", hook.topic, hook.destination, proof.headers)

    def delete(self, hook_id: int) -> None:
        try:
            self._api.request("DELETE", f"{PATH}/{hook_id}", route=ROUTE, writes=True, expect=(200, 204))
        except NotFound:
            return

    def _write(
        self, method: str, path: str, topic: str, destination: str, headers: Mapping[str, str]
    ) -> Hook:
        body = {"scope": topic, "destination": destination, "is_active": True, "headers": dict(headers)}
        answer = self._api.request(method, path, route=ROUTE, json=body, writes=True, expect=(200, 201))
        return _hook(parse(_FRAME, answer.json(), f"BigCommerce {ROUTE}").data)


def _hook(row: _Hook) -> Hook:
    headers = {name: str(value) for name, value in (row.headers or {}).items()}
    return Hook(row.id, row.scope, row.destination, row.is_active, headers)
