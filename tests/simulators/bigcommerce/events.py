"""What a BigCommerce store tells its hooks: `(scope, data)` pairs. Ids of SKUs are not those of variants."""

from __future__ import annotations

import re
from typing import Any

from .catalogue import Product, Variant

Event = tuple[str, dict[str, Any]]
SKU_ID_OFFSET = 1_000_000  # a SKU has a number of its own: who takes it for the variant's finds nothing

_PRODUCT = {"created", "updated", "deleted", "inventory/updated", "inventory/order/updated", "*"}
_CHANNEL_SCOPE = re.compile(r"store/channel/(\d+|\*)/product/(assigned|unassigned|\*)")
_OURS = ("store/product/", "store/sku/", "store/channel/")


def is_scope(scope: object) -> bool:
    """Whether a hook can be made on it; scopes that have nothing to do with products are taken on trust."""
    if not isinstance(scope, str) or not scope.startswith("store/") or scope == "store/":
        return False
    if not scope.startswith(_OURS):
        return True
    resource, _, event = scope.removeprefix("store/").partition("/")
    return bool(_CHANNEL_SCOPE.fullmatch(scope)) or (resource in ("product", "sku") and event in _PRODUCT)


def sku_id(variant: Variant) -> int:
    return variant.id + SKU_ID_OFFSET


def product_event(event: str, product_id: int) -> Event:
    return f"store/product/{event}", {"type": "product", "id": product_id}


def sku_event(event: str, variant: Variant) -> Event:
    ids = {"product_id": variant.product_id, "variant_id": variant.id}
    return f"store/sku/{event}", {"type": "sku", "id": sku_id(variant), "sku": ids}


def channel_event(event: str, channel: int, product_id: int) -> Event:
    return f"store/channel/{channel}/product/{event}", {"product_id": product_id}


def created(product: Product) -> list[Event]:
    skus = [sku_event("created", variant) for variant in product.variants if variant.option]
    return [product_event("created", product.id), *skus, *channels_changed(product.id, (), product.channels)]


def channels_changed(product_id: int, before: tuple[int, ...], after: tuple[int, ...]) -> list[Event]:
    return [
        *(channel_event("assigned", channel, product_id) for channel in after if channel not in before),
        *(channel_event("unassigned", channel, product_id) for channel in before if channel not in after),
    ]


def stock_changed(owner: Product | Variant, delta: int, by_order: bool) -> list[Event]:
    """`value` is the change, though `method` says absolute. The product counts as updated, too.

    Unconfirmed whether a sale fires both inventory scopes: both, so that a receiver must fold them.
    """
    value: dict[str, Any] = {"method": "absolute", "value": delta}
    if isinstance(owner, Variant):
        value = {"product_id": owner.product_id, **value, "variant_id": owner.id}
        data = {"type": "sku", "id": sku_id(owner), "inventory": value}
        product_id, resource = owner.product_id, "sku"
    else:
        data = {"type": "product", "id": owner.id, "inventory": {"product_id": owner.id, **value}}
        product_id, resource = owner.id, "product"
    scopes = ["inventory/updated", *(["inventory/order/updated"] if by_order else [])]
    return [*((f"store/{resource}/{name}", data) for name in scopes), product_event("updated", product_id)]


def ids_of(data: dict[str, Any]) -> dict[str, int]:
    """product_id, and variant_id where the event is about one."""
    inner = data.get("inventory") or data.get("sku") or data
    if "product_id" in inner:
        return {name: inner[name] for name in ("product_id", "variant_id") if name in inner}
    return {"product_id": data["id"]}
