"""WooCommerce sends its webhooks: once, signed with each one's secret, with the product as it then is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import time
from collections.abc import Callable

from ..webhooks.courier import Courier
from ..webhooks.parcels import Delivery, Parcel, Prepared
from .answers import error_body
from .catalogue import Post
from .rendering import Renderer
from .store import WooCommerceStore
from .webhooks_api import Webhook, WebhooksApi

COALESCE_SECONDS = 0.2  # on a real shop a minute; tests do not wait that long unless they say so
USER_AGENT = "WooCommerce/10.5.0 Hookshot (WordPress/6.8)"
PING = "ping"


def sign(secret: str, body: bytes) -> str:
    """The `X-WC-Webhook-Signature` header. HTML entities in the secret are decoded first, as WordPress does."""
    key = html.unescape(secret).encode()
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


def delivery_id(webhook_id: int, second: int) -> str:
    """Of a webhook and a second: two deliveries within one share it."""
    return hashlib.md5(f"simulated salt {webhook_id} {second}".encode()).hexdigest()


class WooCommerceSending:
    """Hears what the shop says and tells its webhooks. `courier` carries."""

    def __init__(
        self,
        name: str,
        store: WooCommerceStore,
        renderer: Renderer,
        webhooks: WebhooksApi,
        on_error: Callable[[str], None],
    ) -> None:
        self._store, self._renderer, self._webhooks = store, renderer, webhooks
        self.courier = Courier(name, self, on_error)
        self.timeout_seconds = 5.0
        self.coalesce_seconds = COALESCE_SECONDS
        webhooks.on_created = self.ping
        store.listeners.append(self.heard)

    def heard(self, topic: str, post: Post) -> None:
        """Of the store, perhaps under its lock: nothing here may take long."""
        for hook in self._webhooks.listening(topic):
            parcel = Parcel(hook["id"], topic, _ids(post), post.id, key=(hook["id"], topic, post.id))
            self.courier.submit(parcel, self.coalesce_seconds)

    def emit(self, topic: str, post_id: int, hook_id: int | None = None) -> int:
        """Tells the webhooks on `topic` now; the post need not exist. How many were told."""
        hooks = [hook for hook in self._webhooks.listening(topic) if hook_id in (None, hook["id"])]
        post = self._store.by_id.get(post_id)
        ids = _ids(post) if post else {"product_id": post_id}
        for hook in hooks:
            self.courier.submit(Parcel(hook["id"], topic, ids, post_id, "emitted"))
        return len(hooks)

    def ping(self, webhook_id: int) -> None:
        self.courier.submit(Parcel(webhook_id, PING, {}, kind="ping"))

    def prepare(self, parcel: Parcel) -> Prepared | None:
        hook = self._webhooks.get(parcel.hook_id)
        if hook is None:
            return None
        if parcel.kind == "ping":  # whatever the status, unsigned, and no word of who asks
            headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": USER_AGENT}
            return Prepared(hook["delivery_url"], headers, f"webhook_id={hook['id']}".encode())
        if hook["status"] != "active":
            return None
        body = _as_php(self._payload(parcel.topic, parcel.event))
        return Prepared(hook["delivery_url"], self._headers(hook, body), body)

    def _payload(self, topic: str, post_id: int) -> object:
        """What holds now. Of what has gone meanwhile: the error that reading it gives, without an id."""
        if topic == "product.deleted":
            return {"id": post_id}
        with self._store.lock:
            post = self._store.by_id.get(post_id)
            rendered = self._renderer.render(post, ()) if post else b""
        if not rendered:
            return error_body("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
        return json.loads(rendered)

    def _headers(self, hook: Webhook, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-WC-Webhook-Source": self._renderer.home,
            "X-WC-Webhook-Topic": hook["topic"],
            "X-WC-Webhook-Resource": hook["resource"],
            "X-WC-Webhook-Event": hook["event"],
            "X-WC-Webhook-Signature": sign(self._webhooks.secrets[hook["id"]], body),
            "X-WC-Webhook-ID": str(hook["id"]),
            "X-WC-Webhook-Delivery-ID": delivery_id(hook["id"], int(time.time())),
        }

    def answered(self, parcel: Parcel, delivery: Delivery) -> None:
        """No retry. A ping needs exactly 200, else it comes again after every delivery."""
        if parcel.kind == "ping":
            if delivery.status == 200:
                self._webhooks.unanswered.discard(parcel.hook_id)
            return
        self._webhooks.count(parcel.hook_id, delivery.status is not None and 200 <= delivery.status <= 302)
        if parcel.hook_id in self._webhooks.unanswered:
            self.ping(parcel.hook_id)


def _ids(post: Post) -> dict[str, int]:
    if post.type == "variation":
        return {"product_id": post.parent_id, "variation_id": post.id}
    return {"product_id": post.id}


def _as_php(value: object) -> bytes:
    """PHP's JSON: no spaces, slashes and whatever is not ASCII escaped. Another encoder signs otherwise."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()
