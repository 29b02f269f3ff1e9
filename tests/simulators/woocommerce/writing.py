"""Stock writes: batches with a result per item, and single ones. What a shop ignores is ignored here."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from ..counters import Counters
from ..wire import Request, Response
from .answers import error_body, invalid_param, refuse
from .catalogue import Post
from .listing import fields_of
from .rendering import Renderer
from .store import NEVER_MANAGED, WooCommerceStore, Write

MAX_BATCH = 100
STOCK_FIELDS = frozenset({"id", "manage_stock", "stock_quantity", "stock_status"})


class Writing:
    """`seconds_per_item` is how long one update takes: some 0.018 s on a real machine."""

    def __init__(self, store: WooCommerceStore, renderer: Renderer, counters: Counters) -> None:
        self._store, self._renderer, self._counters = store, renderer, counters
        self.seconds_per_item = 0.0

    def batch(self, request: Request) -> Response:
        return self._batch(request, None)

    def batch_variations(self, request: Request) -> Response:
        parent = self._store.by_id.get(int(request.params["id"]))
        if parent is None or parent.type == "variation":
            raise refuse("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
        return self._batch(request, parent)

    def single(self, request: Request) -> Response:
        """`PUT` or `POST /products/{id}`: unlike a batch it validates."""
        with self._store.lock:
            post = self._store.by_id.get(int(request.params["id"]))
            if post is None or post.type == "variation":
                raise refuse("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
            return self._single(request, post)

    def single_variation(self, request: Request) -> Response:
        with self._store.lock:
            post = self._store.by_id.get(int(request.params["variation_id"]))
            if post is None or str(post.parent_id) != request.params["id"]:
                raise refuse("woocommerce_rest_product_variation_invalid_id", "Invalid ID.", 404)
            return self._single(request, post)

    def _single(self, request: Request, post: Post) -> Response:
        data = self._body(request)
        quantity = data.get("stock_quantity", 0)
        if quantity is not None and (isinstance(quantity, bool) or not _is_whole(quantity)):
            self._counters.violation("bad_quantity", repr(quantity))
            raise invalid_param("stock_quantity", "stock_quantity is not of type integer.")
        self._update(request, post, data)
        body = self._renderer.render(post, fields_of(request))
        return Response(200, body, "application/json; charset=UTF-8")

    def _batch(self, request: Request, parent: Post | None) -> Response:
        """200 even if every item fails; results in input order."""
        body = self._body(request)
        updates = body.get("update")
        updates = updates if isinstance(updates, list) else []
        others = [body[name] for name in ("create", "delete") if isinstance(body.get(name), list)]
        if len(updates) + sum(map(len, others)) > MAX_BATCH:
            self._counters.violation("too_many_items", f"over {MAX_BATCH} in a batch")
            raise refuse(
                "woocommerce_rest_request_entity_too_large",
                f"Unable to accept more than {MAX_BATCH} items for this request.",
                413,
            )
        if any(others):
            self._counters.violation("batch_create_or_delete", "a stock sync creates and deletes nothing")
            raise refuse("woocommerce_rest_cannot_batch", "Creating and deleting is not simulated.", 403)
        if not updates:
            self._counters.violation("empty_batch", request.target)
            return Response(200, b"[]", "application/json; charset=UTF-8")
        results = [self._item(request, item, parent) for item in updates]
        if fields_of(request):
            # Seen on a live shop: the fields are sought on the outer object, nothing is left; yet it wrote.
            self._counters.violation("fields_on_batch", request.target)
            return Response(200, b"[]", "application/json; charset=UTF-8")
        answer = b'{"update":[' + b",".join(results) + b"]}"
        return Response(200, answer, "application/json; charset=UTF-8")

    def _body(self, request: Request) -> dict[str, Any]:
        """Parameters of a JSON body. With another Content-Type WordPress finds none, and says nothing."""
        if not request.header("content-type").startswith("application/json"):
            self._counters.violation("content_type_missing", request.target)
            return {}
        try:
            body = request.json()
        except ValueError:
            self._counters.violation("bad_body", request.target)
            raise refuse("rest_invalid_json", "Invalid JSON body passed.", 400) from None
        return body if isinstance(body, dict) else {}

    def _item(self, request: Request, item: Any, parent: Post | None) -> bytes:
        if self.seconds_per_item:
            time.sleep(self.seconds_per_item)
        number = item.get("id") if isinstance(item, dict) else None
        with self._store.lock:
            post = self._store.by_id.get(number) if isinstance(number, int) else None
            code = self._unfit(post, parent)
            if code or post is None:
                self._counters.refusal(code)
                return json.dumps({"id": number, "error": error_body(code, "Invalid ID.", 400)}).encode()
            self._update(request, post, item)
            return self._renderer.render(post, ())

    @staticmethod
    def _unfit(post: Post | None, parent: Post | None) -> str:
        if parent is not None:
            fits = post is not None and post.parent_id == parent.id
            return "" if fits else "woocommerce_rest_product_variation_invalid_id"
        if post is None:
            return "woocommerce_rest_product_invalid_id"
        return "woocommerce_rest_invalid_product_id" if post.type == "variation" else ""

    def _update(self, request: Request, post: Post, data: dict[str, Any]) -> None:
        """One save. Its time moves even where nothing else does, and the webhook echoes it."""
        if set(data) - STOCK_FIELDS:
            self._counters.violation("wrote_other_field", f"{sorted(set(data) - STOCK_FIELDS)}")
        asked = data.get("stock_quantity")
        if not self._store.stock_managed or post.type in NEVER_MANAGED:
            self._ignore(post, asked)
            return
        if "manage_stock" in data and data["manage_stock"] != "parent":
            manage = data["manage_stock"] in (True, 1, "1", "true", "yes")
            if manage and not post.manage_stock:
                # A real shop obeys. A sync must not: what nobody tracks would start to sell out.
                self._counters.violation("manage_stock_switched_on", f"post {post.id}")
            elif post.manage_stock and not manage:
                self._counters.violation("manage_stock_switched_off", f"post {post.id}")
            post.manage_stock = manage
        if not post.manage_stock:
            self._ignore(post, asked)
            return
        if asked is None:
            self._ignore(post, asked)
            return
        if type(asked) is not int or asked < 0:
            self._counters.violation("bad_quantity", f"post {post.id}: {asked!r} becomes {coerced(asked)}")
        quantity = coerced(asked)
        previous = self._store.set_stock(post, quantity)
        post.writes += 1
        self._store.writes.append(Write(post, quantity, previous, request.received_at, time.time()))

    def _ignore(self, post: Post, asked: object) -> None:
        if asked is not None:
            self._counters.refusal("ignored_write")
        self._store.touch(post)
        self._store.emit("product.updated", post)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and bool(re.fullmatch(r"-?\d+", value)))


def coerced(value: object) -> int:
    """PHP's idea of a whole number: 2.9 is 2, -1.5 is -1, `12 pieces` is 12, anything else is 0."""
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str):
        match = re.match(r"\s*[+-]?\d+", value)
        return int(match.group()) if match else 0
    return 0
