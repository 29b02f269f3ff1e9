"""BigCommerce's locations, and what is on hand at the one that is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workers.clients.bigcommerce_api import UNASKED, BigCommerceApi
from workers.clients.bigcommerce_rows import (
    INVENTORY,
    LOCATIONS,
    InventoryItem,
    Location,
    OnHand,
    shows_more_than_on_hand,
)
from workers.clients.shop import ItemRef
from workers.clients.typed import chunked
from workers.errors import BadAnswer, ConfigurationError

INVENTORY_PAGE = 1_000  # most items a page of /inventory/items (vendor's docs)
LOCATIONS_PAGE = 250


def locations(api: BigCommerceApi) -> list[Location]:
    return api.all_rows("v3/inventory/locations", LOCATIONS, {"limit": LOCATIONS_PAGE})


def choose(found: Sequence[Location], wanted: int | None) -> Location:
    """The location that is written. Raises ConfigurationError with the list to choose from.

    Location 1 always exists but may be disabled or not the merchant's choice, so it is never assumed.
    """
    enabled = [location for location in found if location.enabled]
    if wanted is not None:
        for location in enabled:
            if location.id == wanted:
                return location
        why = "is disabled" if any(location.id == wanted for location in found) else "does not exist"
        raise ConfigurationError("location_id", f"this location {why}; {_to_choose(enabled)}")
    if len(enabled) == 1:
        return enabled[0]
    if not enabled:
        raise ConfigurationError("location_id", "the store has no enabled location: enable one there")
    raise ConfigurationError("location_id", f"the store has several locations; {_to_choose(enabled)}")


def probe(api: BigCommerceApi, location_id: int, details: Mapping[str, Any]) -> dict[str, Any]:
    """Look at one page of the inventory, another one each run, for a reason to compare on hand.

    One page a run keeps the cost fixed; what is found once stays (`read_inventory`).
    """
    number = int(details.get("inventory_probe_page") or 0) % int(details.get("inventory_pages") or 1) + 1
    listed = api.page("v3/inventory/items", INVENTORY, {"limit": INVENTORY_PAGE, "page": number})
    return {
        "read_inventory": shows_more_than_on_hand(listed.rows, location_id),
        "inventory_probe_page": number,
        "inventory_pages": max(listed.pages, 1),
    }


def on_hand_of_products(api: BigCommerceApi, location_id: int, product_ids: Sequence[int]) -> OnHand:
    return OnHand(_items(api, location_id, "product_id:in", product_ids), location_id)


def on_hand(api: BigCommerceApi, location_id: int, refs: Iterable[ItemRef]) -> dict[ItemRef, int]:
    """On hand by row; a row that the shop does not list at this location is left out."""
    wanted = list(dict.fromkeys(refs))
    products = list(dict.fromkeys(ref.product_id for ref in wanted if not ref.variant_id))
    variants = list(dict.fromkeys(ref.variant_id for ref in wanted if ref.variant_id))
    by_product = OnHand(_items(api, location_id, "product_id:in", products), location_id)
    by_variant = OnHand(_items(api, location_id, "variant_id:in", variants), location_id)
    read = {ref: (by_variant if ref.variant_id else by_product).at(ref) for ref in wanted}
    return {ref: quantity for ref, quantity in read.items() if quantity is not None}


def _items(api: BigCommerceApi, location_id: int, name: str, ids: Sequence[int]) -> list[InventoryItem]:
    found: list[InventoryItem] = []
    for group in chunked(ids, most=INVENTORY_PAGE):
        params = {
            name: ",".join(map(str, group)),
            "location_id:in": str(location_id),
            "limit": INVENTORY_PAGE,
        }
        read = api.all_rows("v3/inventory/items", INVENTORY, params)
        by = name.removesuffix(":in")
        if not {getattr(item.identity, by) for item in read} <= {*group, None}:
            raise BadAnswer(
                "BigCommerce inventory/items: items came back that were not asked for", code=UNASKED
            )
        found.extend(read)
    return found


def _to_choose(enabled: Sequence[Location]) -> str:
    return "choose one of " + ", ".join(f"{location.id} ({location.label or '-'})" for location in enabled)
