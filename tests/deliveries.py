"""Deliveries as the two vendors send them, and the sites that they are for."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import time
from typing import Any

from models.company import Company
from models.database import execute, rows, session
from models.site import BIGCOMMERCE, WOOCOMMERCE, Site

SECRET = "test-client-secret"
STORE_HASH = "abc123"
TOKEN = "the-value-of-the-secret-header"
TOKEN_HEADER = "X-Inventory-Sync-Token"
_numbers = itertools.count(1)


def site(platform: str, **changes: Any) -> Site:
    """A site of the platform, with a company of its own; it demands a signature by SECRET."""
    number = next(_numbers)
    fields: dict[str, Any] = {
        "name": f"{platform} {number}",
        "platform": platform,
        "store_key": f"{platform}:{number}",
        "store_hash": STORE_HASH if platform == BIGCOMMERCE else None,
        "url": f"https://shop-{number}.example.com" if platform == WOOCOMMERCE else None,
        "webhook_secret": SECRET,
        "webhook_proofs": ["signature"],
    }
    with session():
        owner = Company.create(
            name=f"Company {number}",
            tenant_id="tenant",
            environment="Production",
            company_id=str(number),
            client_id="app",
            client_secret="secret",
            api_url="http://127.0.0.1:1",
            token_url="http://127.0.0.1:1",
        )
        return Site.get_by_id(Site.create(**{**fields, "company": owner.id, **changes}).id)


def path(to: Site) -> str:
    """Where its deliveries go."""
    return f"/webhooks/{to.platform}/{to.id}"


def bigcommerce_body(product_id: int, scope: str = "store/product/updated", **changes: Any) -> bytes:
    """What BigCommerce sends of a product."""
    body = {
        "producer": f"stores/{STORE_HASH}",
        "hash": f"hash-{next(_numbers)}",
        "created_at": int(time.time()),
        "store_id": "1025646",
        "scope": scope,
        "data": {"type": "product", "id": product_id},
    }
    return json.dumps({**body, **changes}, separators=(",", ":")).encode()


def woocommerce_body(product_id: int, **changes: Any) -> bytes:
    """What WooCommerce sends of a product, cut down to what matters."""
    return json.dumps({"id": product_id, "type": "simple", "stock_quantity": 3, **changes}).encode()


def standard_signature(body: bytes, delivery_id: str, stamp: str, secret: str = SECRET) -> str:
    """One entry of `webhook-signature`, made without the library that product code uses."""
    signed = f"{delivery_id}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def bigcommerce_headers(
    body: bytes, *, delivery_id: str | None = None, secret: str = SECRET, age: int = 0
) -> dict[str, str]:
    """The headers that prove a body, signed `age` seconds ago."""
    chosen, stamp = delivery_id or f"msg_{next(_numbers)}", str(int(time.time()) - age)
    return {
        "Content-Type": "application/json",
        "webhook-id": chosen,
        "webhook-timestamp": stamp,
        "webhook-signature": standard_signature(body, chosen, stamp, secret),
    }


def woocommerce_headers(
    body: bytes, *, topic: str = "product.updated", secret: str = SECRET
) -> dict[str, str]:
    """The headers that prove a body, and those that WooCommerce sends beside them."""
    resource, _, event = topic.partition(".")
    return {
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": "https://shop.example.com/",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-ID": "1",
        "X-WC-Webhook-Delivery-ID": "0123456789abcdef",
        "X-WC-Webhook-Signature": base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode(),
    }


def delivery(to: Site, product_id: int, **proof: Any) -> tuple[bytes, dict[str, str]]:
    """A body about a product with the headers that prove it, as the site's platform sends them."""
    if to.platform == BIGCOMMERCE:
        body = bigcommerce_body(product_id)
        return body, bigcommerce_headers(body, **proof)
    body = woocommerce_body(product_id)
    return body, woocommerce_headers(body, **proof)


def logged(columns: str = "status") -> list[tuple[Any, ...]]:
    """These columns of every delivery that was stored, in order."""
    return rows(f"SELECT {columns} FROM rm_webhook_log ORDER BY id")


def jobs(columns: str = "status") -> list[tuple[Any, ...]]:
    """These columns of every job of a product's event, in order."""
    return rows(f"SELECT {columns} FROM rm_queue WHERE kind = 'webhook.product' ORDER BY id")


def forget() -> None:
    """No deliveries and no jobs."""
    execute("TRUNCATE rm_webhook_log, rm_webhook_rejections, rm_queue CASCADE")
