"""`/webhooks`: who wants to be told of what, and where."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any

from ..wire import RefusalError, Request, Response, json_response
from .answers import invalid_param, page_of, refuse, whole
from .rendering import gmt

Webhook = dict[str, Any]
TOPICS = ("product.created", "product.updated", "product.deleted", "product.restored")
STATUSES = ("active", "paused", "disabled")
MAX_BATCH = 100
FAILURES_ALLOWED = 6  # in a row: the next one disables
_CHANGEABLE = ("name", "status", "topic", "delivery_url")


class WebhooksApi:
    """The shop's webhooks. The secret can be written, never read. A webhook is replaced, never changed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self.webhooks: dict[int, Webhook] = {}
        self.secrets: dict[int, str] = {}
        self.failures: dict[int, int] = {}  # in a row; reactivating does not reset them
        self.unanswered: set[int] = set()  # webhooks whose ping has had no 200 yet
        self.on_created: Callable[[int], None] = lambda number: None
        self._next_id = 0

    # Calls

    def index(self, request: Request) -> Response:
        page, per_page = whole(request, "page", 1), whole(request, "per_page", 10, 100)
        status, order = request.query.get("status", "all"), request.query.get("order", "desc")
        if status not in ("all", *STATUSES):
            raise invalid_param("status", f"status is not one of all, {', '.join(STATUSES)}.")
        with self._lock:
            hooks = [hook for hook in self.webhooks.values() if status in ("all", hook["status"])]
        hooks.sort(key=lambda hook: int(hook["id"]), reverse=order != "asc")
        rows = [json_response(hook).body for hook in hooks[(page - 1) * per_page : page * per_page]]
        return page_of(request, self._url, rows, len(hooks), page, per_page)

    def create(self, request: Request) -> Response:
        return json_response(self.add(_object(request), request.received_at), 201)

    def show(self, request: Request) -> Response:
        return json_response(self._found(request.params["id"]))

    def update(self, request: Request) -> Response:
        return json_response(self._update(request.params["id"], _object(request), request.received_at))

    def delete(self, request: Request) -> Response:
        """Webhooks have no trash: without `force=true` it is refused."""
        hook = self._found(request.params["id"])
        if request.query.get("force", "").lower() not in ("1", "true"):
            raise refuse("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
        return json_response(self._delete(hook["id"]))

    def batch(self, request: Request) -> Response:
        """`{create, update, delete}`; 200 with a result for each, in this order. Deletes are forced."""
        body, at = _object(request), request.received_at
        works: dict[str, Callable[[Any], Webhook]] = {
            "create": lambda item: self.add(item, at),
            "update": lambda item: self._update(str(item.get("id", "")), item, at),
            "delete": lambda item: self._delete(self._found(str(item))["id"]),
        }
        asked = {name: body[name] for name in works if isinstance(body.get(name), list)}
        if sum(map(len, asked.values())) > MAX_BATCH:
            raise refuse(
                "woocommerce_rest_request_entity_too_large",
                f"Unable to accept more than {MAX_BATCH} items for this request.",
                413,
            )
        return json_response({name: [_one(works[name], item) for item in asked[name]] for name in asked})

    # For the sending, and for controls

    def add(self, body: dict[str, Any], received_at: float) -> Webhook:
        _check(body, ("topic", "delivery_url"))
        now = gmt(int(received_at))
        resource, _, event = str(body["topic"]).partition(".")
        with self._lock:
            self._next_id += 1
            number = self._next_id
            hook = self.webhooks[number] = {
                "id": number,
                "name": body.get("name", f"Webhook {number}"),
                "status": body.get("status", "active"),
                "topic": body["topic"],
                "resource": resource,
                "event": event,
                "hooks": [],
                "delivery_url": body["delivery_url"],
                "date_created_gmt": now,
                "date_modified_gmt": now,
            }
            # Without one the shop makes one up, which nobody can read.
            self.secrets[number] = str(body.get("secret") or hashlib.md5(f"{number}".encode()).hexdigest())
            self.failures[number] = 0
            self.unanswered.add(number)
        self.on_created(number)
        return hook

    def listening(self, topic: str) -> list[Webhook]:
        """Active ones on a topic."""
        if not self.webhooks:  # most syncs are measured without any
            return []
        with self._lock:
            hooks = list(self.webhooks.values())
        return [hook for hook in hooks if hook["status"] == "active" and hook["topic"] == topic]

    def get(self, number: int) -> Webhook | None:
        with self._lock:
            return self.webhooks.get(number)

    def count(self, number: int, succeeded: bool) -> None:
        """A delivery's end. The 7th failure in a row disables; one that was reactivated fails at its next."""
        with self._lock:
            if number not in self.webhooks:
                return
            if succeeded:
                self.failures[number] = 0
            elif self.failures[number] >= FAILURES_ALLOWED:
                self.webhooks[number] = {**self.webhooks[number], "status": "disabled"}
            else:
                self.failures[number] += 1

    def disable(self, number: int) -> None:
        with self._lock:
            self.webhooks[number] = {**self.webhooks[number], "status": "disabled"}

    def described(self) -> list[Webhook]:
        """With what no call shows: failures in a row, and whether the ping waits for its 200."""
        with self._lock:
            return [
                {**hook, "failures": self.failures[number], "ping_unanswered": number in self.unanswered}
                for number, hook in self.webhooks.items()
            ]

    def forget(self) -> None:
        with self._lock:
            self.webhooks.clear()
            self.unanswered.clear()

    # Work

    def _update(self, number: str, body: dict[str, Any], received_at: float) -> Webhook:
        hook = self._found(number)
        _check(body, ())
        fields = {name: value for name, value in body.items() if name in _CHANGEABLE}
        if "topic" in fields:
            fields["resource"], _, fields["event"] = str(fields["topic"]).partition(".")
        with self._lock:
            if "secret" in body:
                self.secrets[hook["id"]] = str(body["secret"])
            hook = {**self.webhooks[hook["id"]], **fields, "date_modified_gmt": gmt(int(received_at))}
            self.webhooks[hook["id"]] = hook
        return hook

    def _delete(self, number: int) -> Webhook:
        with self._lock:
            self.unanswered.discard(number)
            return self.webhooks.pop(number)

    def _found(self, number: str) -> Webhook:
        hook = self.get(int(number)) if number.isdecimal() else None
        if hook is None:
            raise refuse("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
        return hook


def _check(body: dict[str, Any], required: tuple[str, ...]) -> None:
    """Raises RefusalError; what is not required is checked where it is given."""
    topic, url = str(body.get("topic")), str(body.get("delivery_url"))
    if "topic" in (*required, *body) and topic not in TOPICS and not topic.startswith("action."):
        text = "Webhook topic is required and must be valid."
        raise refuse("woocommerce_rest_invalid_webhook_topic", text, 400)
    if "delivery_url" in (*required, *body) and not url.startswith(("http://", "https://")):
        text = "Webhook delivery URL must be a valid URL starting with http:// or https://."
        raise refuse("woocommerce_rest_invalid_webhook_delivery_url", text, 400)
    if body.get("status", "active") not in STATUSES:
        raise invalid_param("status", f"status is not one of {', '.join(STATUSES)}.")


def _one(work: Callable[[Any], Webhook], item: Any) -> dict[str, Any]:
    """An item of a batch: its result, or its error beside its id."""
    try:
        return work(item)
    except RefusalError as refusal:
        number = item.get("id", 0) if isinstance(item, dict) else item
        return {"id": number, "error": json.loads(refusal.response.body)}


def _object(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refuse("rest_invalid_json", "Invalid JSON body passed.", 400)
    return body
