"""BigCommerce sends its webhooks: signed as Standard Webhooks are, and again where nobody answers 2xx."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..webhooks.courier import Courier
from ..webhooks.parcels import Delivery, Fate, Parcel, Prepared
from . import events
from .hooks_api import Hook, HooksApi
from .store import BigCommerceStore

# Between two attempts; after the last one the hook is deactivated.
RETRY_SECONDS = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)
LATE_SECONDS = 3600  # how old an event is that a test wants late; the tolerance is five minutes


@dataclass(frozen=True, slots=True)
class Sender:
    """Who signs."""

    store_hash: str
    store_id: str
    client_secret: str


@dataclass(slots=True)
class Message:
    """What one hook is told. Its id and timestamp stay over its retries."""

    number: int  # of the event; the same for each hook that hears it
    data: dict[str, Any]
    created_at: int
    message_id: str = ""
    timestamp: int = 0
    age_seconds: int = 0  # how far back the first timestamp is set


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header; the key is the raw bytes of the client secret."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class BigCommerceSending:
    """Hears what the store says and tells its hooks. `courier` carries."""

    def __init__(
        self, sender: Sender, store: BigCommerceStore, hooks: HooksApi, on_error: Callable[[str], None]
    ) -> None:
        self._sender, self._hooks = sender, hooks
        self.courier = Courier(sender.store_hash, self, on_error)
        self.timeout_seconds = 10.0
        self.coalesce_seconds = 0.0  # nothing says that BigCommerce waits for more
        self.retry_scale = 1.0
        self.retry_keeps_timestamp = True  # unconfirmed; so a late retry carries an old one
        self.signs = True  # unconfirmed that every hook is signed
        self._numbers = itertools.count(1)
        store.listeners.append(self.heard)

    def heard(self, scope: str, data: dict[str, Any]) -> None:
        """Of the store, perhaps under its lock: nothing here may take long."""
        hooks = self._hooks.listening(scope)
        if not hooks:
            return
        number, now = next(self._numbers), int(time.time())
        for hook in hooks:
            parcel = Parcel(hook["id"], scope, events.ids_of(data), Message(number, data, now))
            if self.coalesce_seconds:
                parcel.key = (hook["id"], scope, data.get("id", data.get("product_id")))
            self.courier.submit(parcel, self.coalesce_seconds, lambda waiting: _fold(waiting, data, now))

    def emit(self, scope: str, data: dict[str, Any], late: float = 0.0, hook_id: int | None = None) -> int:
        """Tells the hooks on `scope` now; `late` seconds ago by its timestamp. How many were told."""
        hooks = [hook for hook in self._hooks.listening(scope) if hook_id in (None, hook["id"])]
        number, then = next(self._numbers), int(time.time() - late)
        for hook in hooks:
            message = Message(number, data, then, age_seconds=int(late))
            self.courier.submit(Parcel(hook["id"], scope, events.ids_of(data), message, "emitted"))
        return len(hooks)

    def prepare(self, parcel: Parcel) -> Prepared | None:
        hook = self._hooks.active(parcel.hook_id)
        if hook is None:
            return None
        message: Message = parcel.event
        if not message.message_id:
            named = f"{self._sender.store_hash}.{parcel.hook_id}.{message.number}"
            message.message_id = f"msg_{hashlib.sha256(named.encode()).hexdigest()[:27]}"
        if not message.timestamp or not self.retry_keeps_timestamp:
            message.timestamp = int(time.time()) - message.age_seconds
        return self._request(hook, parcel.topic, message)

    def _request(self, hook: Hook, scope: str, message: Message) -> Prepared:
        sender = self._sender
        body = json.dumps(
            {
                "producer": f"stores/{sender.store_hash}",
                "hash": hashlib.sha1(f"{sender.store_hash}.{message.number}".encode()).hexdigest(),
                "created_at": message.created_at,
                "store_id": sender.store_id,
                "scope": scope,
                "data": message.data,
            },
            separators=(",", ":"),
        ).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "bigcommerce-simulator"}
        if self.signs:
            headers["webhook-id"] = message.message_id
            headers["webhook-timestamp"] = str(message.timestamp)
            headers["webhook-signature"] = sign(
                sender.client_secret, message.message_id, message.timestamp, body
            )
        return Prepared(hook["destination"], {**headers, **hook["headers"]}, body)

    def answered(self, parcel: Parcel, delivery: Delivery) -> None:
        """2xx is success. After the last retry the hook is deactivated."""
        if delivery.status is not None and 200 <= delivery.status < 300:
            return
        if parcel.attempt > len(RETRY_SECONDS):
            self._hooks.deactivate(parcel.hook_id)
            return
        retry = replace(parcel, attempt=parcel.attempt + 1, prepared=None, fate=Fate())
        self.courier.submit(retry, RETRY_SECONDS[parcel.attempt - 1] * self.retry_scale)


def _fold(waiting: Parcel, data: dict[str, Any], now: int) -> None:
    """Two changes of stock in one message: their deltas add up."""
    message: Message = waiting.event
    message.created_at = now
    if "inventory" in data:
        inventory = message.data["inventory"]
        value = inventory["value"] + data["inventory"]["value"]
        message.data = {**message.data, "inventory": {**inventory, "value": value}}
