"""`/webhooks`: stored, not delivered. A later issue delivers: it listens on `WooCommerceStore.listeners`."""

from __future__ import annotations

from typing import Any

from ..wire import Request, Response, json_response
from .answers import page_of, refuse, whole
from .rendering import gmt

TOPICS = ("product.created", "product.updated", "product.deleted", "product.restored")


class WebhooksApi:
    """The shop's webhooks. The secret can be written, never read."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.webhooks: dict[int, dict[str, Any]] = {}
        self.secrets: dict[int, str] = {}
        self._next_id = 0

    def index(self, request: Request) -> Response:
        page, per_page = whole(request, "page", 1), whole(request, "per_page", 10, 100)
        hooks = list(self.webhooks.values())[::-1]
        rows = [json_response(hook).body for hook in hooks[(page - 1) * per_page : page * per_page]]
        return page_of(request, self._url, rows, len(hooks), page, per_page)

    def create(self, request: Request) -> Response:
        body = self._body(request)
        topic, delivery_url = body.get("topic"), body.get("delivery_url")
        if topic not in TOPICS and not str(topic).startswith("action."):
            raise refuse(
                "woocommerce_rest_invalid_webhook_topic", "Webhook topic is required and must be valid.", 400
            )
        if not str(delivery_url).startswith(("http://", "https://")):
            raise refuse(
                "woocommerce_rest_invalid_webhook_delivery_url",
                "Webhook delivery URL must be a valid URL starting with http:// or https://.",
                400,
            )
        self._next_id += 1
        now = gmt(int(request.received_at))
        resource, _, event = str(topic).partition(".")
        self.webhooks[self._next_id] = {
            "id": self._next_id,
            "name": body.get("name", f"Webhook {self._next_id}"),
            "status": body.get("status", "active"),
            "topic": topic,
            "resource": resource,
            "event": event,
            "hooks": [],
            "delivery_url": delivery_url,
            "date_created_gmt": now,
            "date_modified_gmt": now,
        }
        self.secrets[self._next_id] = str(body.get("secret", ""))
        return json_response(self.webhooks[self._next_id], 201)

    def show(self, request: Request) -> Response:
        return json_response(self._found(request))

    def update(self, request: Request) -> Response:
        hook, body = self._found(request), self._body(request)
        hook.update({k: v for k, v in body.items() if k in ("name", "status", "topic", "delivery_url")})
        if "secret" in body:
            self.secrets[hook["id"]] = str(body["secret"])
        hook["date_modified_gmt"] = gmt(int(request.received_at))
        return json_response(hook)

    def delete(self, request: Request) -> Response:
        """Webhooks have no trash: without `force=true` it is refused."""
        hook = self._found(request)
        if request.query.get("force", "").lower() not in ("1", "true"):
            raise refuse("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
        del self.webhooks[hook["id"]], self.secrets[hook["id"]]
        return json_response(hook)

    def _found(self, request: Request) -> dict[str, Any]:
        number = request.params["id"]
        if not number.isdecimal() or int(number) not in self.webhooks:
            raise refuse("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
        return self.webhooks[int(number)]

    @staticmethod
    def _body(request: Request) -> dict[str, Any]:
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise refuse("rest_invalid_json", "Invalid JSON body passed.", 400)
        return body
