"""WooCommerce's webhooks: everybody's are listed, and the secret can be written but never read."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from workers.clients.hooks import Hook, Proof
from workers.clients.typed import Row, parse
from workers.clients.woocommerce_api import WooCommerceApi
from workers.errors import BadAnswer, NotFound

PATH = "webhooks"
PAGE_ROWS = 100
MOST_PAGES = 50  # a server that always names a next page must not hold us
ACTIVE = "active"  # else paused by a person, or disabled after failures
NAME = "Inventory Sync {topic}"  # as the merchant sees it in the shop's settings


class _Webhook(Row):
    id: int
    topic: str
    delivery_url: str
    status: str


_WEBHOOKS = TypeAdapter(list[_Webhook])
_WEBHOOK = TypeAdapter(_Webhook)


class WooCommerceHooks:
    """A HookApi. The 7th failure in a row disables a webhook, and reactivating it leaves the count as it was."""

    most: int | None = None
    revives = False
    proof_readable = False

    def __init__(self, api: WooCommerceApi) -> None:
        self._api = api

    def listed(self) -> list[Hook]:
        """Those of all apps and persons, the oldest first."""
        found: list[Hook] = []
        for number in range(1, MOST_PAGES + 1):
            page = self._api.listed(
                PATH, _WEBHOOKS, {"per_page": PAGE_ROWS, "page": number, "orderby": "id", "order": "asc"}
            )
            found.extend(map(_hook, page.rows))
            if number >= page.pages:
                return found
        raise BadAnswer(f"WooCommerce {PATH}: over {MOST_PAGES} pages", code="too_many_pages")

    def create(self, topic: str, destination: str, proof: Proof) -> Hook:
        """The shop greets the destination at once."""
        body = {"name": NAME.format(topic=topic), "topic": topic, "delivery_url": destination}
        return self._write("POST", PATH, {**body, "status": ACTIVE, "secret": proof.secret})

    def update(self, hook: Hook, proof: Proof) -> Hook:
        return self._write("PUT", f"{PATH}/{hook.id}", {"status": ACTIVE, "secret": proof.secret})

    def delete(self, hook_id: int) -> None:
        """For good: webhooks have no trash."""
        try:
            self._api.request(
                "DELETE", f"{PATH}/{hook_id}", route=PATH, params={"force": "true"}, writes=True
            )
        except NotFound as error:
            if error.code is None or error.code.startswith("rest_no_route"):
                raise

    def _write(self, method: str, path: str, body: dict[str, Any]) -> Hook:
        answer = self._api.request(method, path, route=PATH, json=body, writes=True, expect=(200, 201))
        return _hook(parse(_WEBHOOK, answer.json(), f"WooCommerce {PATH}"))


def _hook(row: _Webhook) -> Hook:
    return Hook(row.id, row.topic, row.delivery_url, row.status == ACTIVE)
