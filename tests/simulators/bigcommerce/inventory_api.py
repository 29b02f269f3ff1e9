"""`/inventory`: items, locations, absolute adjustments."""

from __future__ import annotations

import json
import uuid
from typing import Any

from ..counters import Counters
from ..wire import RefusalError, Request, Response, json_response
from .answers import id_list, page_of, problem, whole
from .catalog_api import CatalogApi
from .catalogue import Product, Variant
from .events import sku_id
from .landing import Lander
from .store import BigCommerceStore, Owner, Write

MAX_ITEMS_PAGE = 1000
MAX_ADJUSTMENTS = 2000
MAX_QUANTITY = 2_147_483_647
ITEM_OPTIONS = frozenset(
    {"sku:in", "variant_id:in", "product_id:in", "location_id:in", "location_code:in", "page", "limit"}
)
LOCATION_OPTIONS = frozenset(
    {"is_default", "is_active", "location_id:in", "location_code:in", "page", "limit"}
)
_IDENTITIES = ("sku", "variant_id", "product_id")


class InventoryApi:
    """Stock by location; writes are taken here and land when the lander says."""

    def __init__(
        self, store: BigCommerceStore, catalog: CatalogApi, lander: Lander, counters: Counters
    ) -> None:
        self._store, self._catalog, self._lander, self._counters = store, catalog, lander, counters
        self._rows: list[Owner] = []
        self._rows_structure = -1

    # Reads

    def items(self, request: Request) -> Response:
        """Not channel-aware. What is untracked has no inventory item (unconfirmed; the stricter reading)."""
        self._catalog.known_only(request, ITEM_OPTIONS)
        page, limit = self._catalog.paging(request, MAX_ITEMS_PAGE)
        query, store = request.query, self._store
        with store.lock:
            rows = self._tracked()
            if "product_id:in" in query:
                ids = id_list(query["product_id:in"], "product_id:in")
                rows = [o for i in sorted(ids) if i in store.by_id for o in tracked_owners(store.by_id[i])]
            if "variant_id:in" in query:
                ids = id_list(query["variant_id:in"], "variant_id:in")
                if "product_id:in" not in query:
                    products = sorted({store.variants[i].product_id for i in ids if i in store.variants})
                    rows = [o for i in products for o in tracked_owners(store.by_id[i])]
                rows = [owner for owner in rows if _variant_id(owner) in ids]
            if "sku:in" in query:
                skus = {sku.lower() for sku in query["sku:in"].split(",")}
                rows = [owner for owner in rows if owner.sku.lower() in skus]
            start = (page - 1) * limit
            wanted = query.get("location_id:in")
            places = id_list(wanted, "location_id:in") if wanted else None
            taken = [self._item(owner, places) for owner in rows[start : start + limit]]
            return page_of(request, taken, len(rows), page, limit)

    def _tracked(self) -> list[Owner]:
        if self._rows_structure != self._store.structure:
            self._rows = [owner for product in self._store.products for owner in tracked_owners(product)]
            self._rows_structure = self._store.structure
        return self._rows

    def _item(self, owner: Owner, places: set[int] | None) -> bytes:
        product = self._store.by_id[owner.product_id] if isinstance(owner, Variant) else owner
        key = ("inventory", owner.id, isinstance(owner, Variant), frozenset(places) if places else None)
        rendered = product.rendered.get(key)
        if rendered is None:
            identity = {
                "sku": owner.sku,
                "variant_id": _variant_id(owner),
                "product_id": product.id,
                "sku_id": sku_id(owner) if isinstance(owner, Variant) and owner.option else None,
            }
            locations = [
                {
                    "location_id": place.id,
                    "location_code": place.code,
                    "location_enabled": place.enabled,
                    "available_to_sell": max(0, owner.on_hand.get(place.id, 0) - product.safety_stock),
                    "total_inventory_onhand": owner.on_hand.get(place.id, 0),
                    "settings": {
                        "safety_stock": product.safety_stock,
                        "is_in_stock": owner.on_hand.get(place.id, 0) > product.safety_stock,
                        "warning_level": 0,
                        "bin_picking_number": "",
                    },
                }
                for place in self._store.locations
                if places is None or place.id in places
            ]
            rendered = json.dumps({"identity": identity, "locations": locations}, ensure_ascii=False).encode()
            product.rendered[key] = rendered
        return rendered

    def locations(self, request: Request) -> Response:
        self._catalog.known_only(request, LOCATION_OPTIONS)
        page, limit = whole(request, "page", 1), whole(request, "limit", 50, 250)
        rows = self._store.locations
        if "is_default" in request.query:
            wanted = request.query["is_default"].lower() in ("1", "true")
            rows = [location for location in rows if location.is_default == wanted]
        if "is_active" in request.query:
            wanted = request.query["is_active"].lower() in ("1", "true")
            rows = [location for location in rows if location.enabled == wanted]
        taken = [
            json.dumps(
                {
                    "id": location.id,
                    "code": location.code,
                    "label": location.code.title(),
                    "description": "",
                    "type_id": "PHYSICAL",
                    "enabled": location.enabled,
                    "is_default": location.is_default,
                    "managed_by_external_source": False,
                }
            ).encode()
            for location in rows[(page - 1) * limit : page * limit]
        ]
        return page_of(request, taken, len(rows), page, limit)

    # Writes

    def adjust_absolute(self, request: Request) -> Response:
        """All or nothing; 200 means accepted. That one bad row fails all is unconfirmed, but stricter."""
        items = self._body_items(request)
        transaction = str(uuid.uuid4())
        with self._store.lock:
            writes = []
            for item in items:
                owner = self._owner(item)
                writes.append(
                    Write(transaction, owner, item["location_id"], item["quantity"], request.received_at)
                )
            rows = {(id(write.owner), write.location_id) for write in writes}
        if len(rows) < len(writes):
            self._counters.violation("duplicate_in_batch", "one row twice in a call: which wins is undefined")
        self._lander.accept(writes, overlapped=bool(request.params.get("overlapped")))
        return json_response({"transaction_id": transaction})

    def _body_items(self, request: Request) -> list[dict[str, Any]]:
        try:
            body = request.json()
        except ValueError:
            raise self._violation("bad_body", "The body is not JSON") from None
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list) or not items:
            raise self._violation("bad_body", "items must be a list that is not empty")
        if len(items) > MAX_ADJUSTMENTS:
            raise self._violation("too_many_items", f"{len(items)} items; at most {MAX_ADJUSTMENTS}")
        for position, item in enumerate(items):
            self._check_item(position, item)
        return items

    def _check_item(self, position: int, item: Any) -> None:
        if not isinstance(item, dict):
            raise self._violation("bad_body", f"items[{position}] must be an object")
        quantity, location = item.get("quantity"), item.get("location_id")
        if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            # Above the highest int the real one does not save; a fraction or a negative is nothing to sell.
            raise self._violation("bad_quantity", f"items[{position}].quantity {quantity!r} is not valid")
        if type(location) is not int:
            raise self._violation("bad_location", f"items[{position}].location_id is required")
        if sum(1 for name in _IDENTITIES if item.get(name) is not None) != 1:
            raise self._violation(
                "bad_identity", f"items[{position}] needs one of sku, variant_id, product_id"
            )
        place = next((place for place in self._store.locations if place.id == location), None)
        if place is None or not place.enabled:
            # Unconfirmed for a disabled location; refusing is the stricter reading.
            raise self._violation(
                "bad_location", f"items[{position}].location_id {location} is not an enabled location"
            )

    def _violation(self, name: str, detail: str) -> RefusalError:
        self._counters.violation(name, detail)
        return RefusalError(problem(detail, {"items": detail}))

    def _refusal(self, name: str, detail: str) -> RefusalError:
        """A 422 that depends on the state of the store, which may have changed since it was read."""
        self._counters.refusal(name)
        return RefusalError(problem(detail))

    def _owner(self, item: dict[str, Any]) -> Owner:
        if item.get("sku") is not None:
            return self._owner_by_sku(str(item["sku"]))
        if item.get("variant_id") is not None:
            variant = self._store.variants.get(item["variant_id"])
            if variant is None:
                raise self._refusal(
                    "unknown_identity", f"[Item with variant_id {item['variant_id']} does not exist]"
                )
            tracking = self._store.by_id[variant.product_id].tracking
            if tracking != "variant":
                raise self._refusal("tracking_mismatch", _mismatch("variant_id", variant.id, tracking))
            return variant
        product = self._store.by_id.get(item["product_id"])
        if product is None:
            raise self._refusal(
                "unknown_identity", f"[Item with product_id {item['product_id']} does not exist]"
            )
        if product.tracking != "product":
            raise self._refusal("tracking_mismatch", _mismatch("product_id", product.id, product.tracking))
        return product

    def _owner_by_sku(self, sku: str) -> Owner:
        """By SKU only what is tracked by variant; a SKU that two rows share names neither."""
        owners = self._store.by_sku.get(sku.lower(), [])
        if not owners:
            raise self._refusal("unknown_identity", f"[Item with sku {sku} does not exist]")
        found = [
            o
            for o in owners
            if isinstance(o, Variant) and self._store.by_id[o.product_id].tracking == "variant"
        ]
        if not found:
            raise self._refusal("tracking_mismatch", _mismatch("sku", sku, "product"))
        if len(found) > 1:
            raise self._refusal("sku_not_unique", f"[Several items have sku {sku}]")
        return found[0]


def tracked_owners(product: Product) -> list[Owner]:
    """What holds a product's stock, as `tracking` says."""
    if product.tracking == "product":
        return [product]
    return list(product.variants) if product.tracking == "variant" else []


def _variant_id(owner: Owner) -> int | None:
    if isinstance(owner, Variant):
        return owner.id
    return owner.variants[0].id if owner.is_simple else None


def _mismatch(name: str, value: object, tracking: str) -> str:
    if tracking == "none":  # unconfirmed: the text
        return f"[Item with {name} {value} is not tracked]"
    return f"[Item with {name} {value} is tracked by {tracking}, please update stock by {tracking} id]"
