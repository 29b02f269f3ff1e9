"""What a delivery is about: which product to read again. The body is a hint, never the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from models.site import BIGCOMMERCE
from workers.forms import LARGEST_BIGINT
from workers.sku import storable
from workers.webhooks.proofs import Headers
from workers.webhooks.site_keys import SiteKeys

LONGEST_TEXT = 200


class UnreadableError(ValueError):
    """The body is not what the vendor sends."""


@dataclass(frozen=True, slots=True)
class Event:
    """event_type: as the shop calls it. resource: what it is about, for a person.

    product_id: the product to read again, a variation's parent; None = nothing to do, `ignored` says why.
    delivery_key: equal where the vendor says that it is the same delivery; None = it never says so.
    """

    event_type: str
    resource: str | None = None
    product_id: int | None = None
    delivery_key: str | None = None
    ignored: str | None = None


def event_type_of(platform: str, headers: Headers) -> str | None:
    """What the headers alone tell, for deliveries whose body is not to be trusted."""
    return None if platform == BIGCOMMERCE else _short(headers.get("X-WC-Webhook-Topic"))


def parse(keys: SiteKeys, headers: Headers, body: bytes) -> Event:
    """Read a delivery that has been proved. Raises UnreadableError."""
    document = _document(body)
    if keys.platform == BIGCOMMERCE:
        return _bigcommerce(keys, headers, document)
    return _woocommerce(headers, document)


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise UnreadableError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise UnreadableError("the body is not a JSON object")
    return found


def _bigcommerce(keys: SiteKeys, headers: Headers, body: dict[str, Any]) -> Event:
    scope = _short(body.get("scope"))
    data = body.get("data")
    if scope is None or not isinstance(data, dict):
        raise UnreadableError("the body has no scope and data")
    key = _delivery_key(headers, body)
    if body.get("producer") != f"stores/{keys.store_hash}":
        return Event(scope, delivery_key=key, ignored="it is about another store")
    if not scope.startswith(("store/product/", "store/sku/", "store/channel/")):
        return Event(scope, delivery_key=key, ignored="nothing here depends on this event")
    product = _bigcommerce_product(data)
    if product is None:
        return Event(scope, delivery_key=key, ignored="it names no product")
    variant = _variant(data)
    resource = f"product {product}" if variant is None else f"variant {variant} of product {product}"
    return Event(scope, resource, product, key)


def _delivery_key(headers: Headers, body: dict[str, Any]) -> str | None:
    """Never cut, never mended: two deliveries that differ anywhere must not be taken for one."""
    given, created = headers.get("webhook-id"), body.get("created_at")
    if given:
        key = given
    elif isinstance(body.get("hash"), str) and isinstance(created, int):
        key = json.dumps([body["hash"], body["scope"], created])
    else:
        return None
    return key if len(key) <= LONGEST_TEXT and storable(key) == key else None


def _bigcommerce_product(data: dict[str, Any]) -> int | None:
    """A sku's and an inventory's event name their product inside; a channel's beside."""
    for place in (data.get("sku"), data.get("inventory"), data):
        if isinstance(place, dict) and (found := _identity(place.get("product_id"))):
            return found
    return _identity(data.get("id")) if data.get("type") == "product" else None


def _variant(data: dict[str, Any]) -> int | None:
    for place in (data.get("sku"), data.get("inventory")):
        if isinstance(place, dict) and (found := _identity(place.get("variant_id"))):
            return found
    return None


def _woocommerce(headers: Headers, body: dict[str, Any]) -> Event:
    topic = _short(headers.get("X-WC-Webhook-Topic"))
    if topic is None:
        raise UnreadableError("there is no X-WC-Webhook-Topic header")
    if not topic.startswith("product."):
        return Event(topic, ignored="nothing here depends on this event")
    own, parent = _identity(body.get("id")), _identity(body.get("parent_id"))
    if own is None:
        # The product was gone when WooCommerce built the body: it holds an error, and no id.
        return Event(topic, ignored="it names no product: the next full sync finds what is gone")
    if parent is not None and body.get("type") == "variation":
        return Event(topic, f"variation {own} of product {parent}", parent)
    return Event(topic, f"product {own}", own)


def _identity(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= LARGEST_BIGINT else None


def _short(value: Any) -> str | None:
    return storable(value)[:LONGEST_TEXT] if isinstance(value, str) and value else None


def _refuse(_: str) -> NoReturn:
    raise ValueError("not JSON")
