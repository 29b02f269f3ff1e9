"""`/catalog`: products with their filters, variants, channel assignments."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import UTC, datetime

from ..counters import Counters
from ..wire import Request, Response
from .answers import DEFAULT_LIMIT, MAX_LIMIT, id_list, page_of, refuse, whole
from .catalogue import Product, Variant
from .rendering import Renderer
from .store import BigCommerceStore

_ID_BOUNDS = ("id:min", "id:max", "id:greater", "id:less")
_LEVELS: dict[str, Callable[[int, int], bool]] = {
    "inventory_level": lambda a, b: a == b,
    "inventory_level:min": lambda a, b: a >= b,
    "inventory_level:max": lambda a, b: a <= b,
    "inventory_level:greater": lambda a, b: a > b,
    "inventory_level:less": lambda a, b: a < b,
}
PRODUCT_FILTERS = frozenset(
    {"id", "id:in", "channel_id:in", "sku", "sku:in", "name", "type", "is_visible"}
    | {"date_modified:min", "date_modified:max", *_ID_BOUNDS, *_LEVELS}
)
_COMMON = frozenset({"page", "limit", "include_fields"})
PRODUCT_OPTIONS = PRODUCT_FILTERS | _COMMON | {"include", "sort", "direction"}
VARIANT_OPTIONS = _COMMON | {"id", "sku", "upc", "product_id:in"}
ASSIGNMENT_OPTIONS = frozenset({"page", "limit", "product_id:in", "channel_id:in"})
SUB_RESOURCES = frozenset(
    {"variants", "images", "custom_fields", "bulk_pricing_rules", "options", "modifiers"}
)


class CatalogApi:
    """Answers from the store; offset pages shift when products come and go, ranges of id do not."""

    def __init__(self, store: BigCommerceStore, counters: Counters) -> None:
        self._store = store
        self._counters = counters
        self._renderer = Renderer(store)
        self._cache: dict[tuple[str, str], list[Product]] = {}
        self._cached_structure = -1

    def products(self, request: Request) -> Response:
        self.known_only(request, PRODUCT_OPTIONS)
        include = set(filter(None, request.query.get("include", "").split(",")))
        if include - SUB_RESOURCES:
            raise refuse(422, "The include is not valid", {"include": "unknown sub-resource"})
        highest = 10 if include & {"options", "modifiers"} else MAX_LIMIT
        page, limit = self.paging(request, highest)
        fields = tuple(filter(None, request.query.get("include_fields", "").split(",")))
        with self._store.lock:
            rows = self._matching(request)
            if request.query.get("sort", "") != "id":
                # Without a sort the order is nobody's promise: here it is the newest first.
                rows = rows[::-1]
            elif request.query.get("direction", "asc") == "desc":
                rows = rows[::-1]
            start = (page - 1) * limit
            taken = [
                self._renderer.product(product, fields, "variants" in include)
                for product in rows[start : start + limit]
            ]
            return page_of(request, taken, len(rows), page, limit)

    def product(self, request: Request) -> Response:
        with self._store.lock:
            product = self._store.by_id.get(_id(request, "id"))
            if product is None:
                return refuse(404, "The requested resource was not found").response
            with_variants = "variants" in request.query.get("include", "").split(",")
            return Response(
                200, b'{"data":' + self._renderer.product(product, (), with_variants) + b',"meta":{}}'
            )

    def variants(self, request: Request) -> Response:
        self.known_only(request, VARIANT_OPTIONS)
        page, limit = self.paging(request, MAX_LIMIT)
        query, store = request.query, self._store
        with store.lock:
            if "product_id:in" in query:
                ids = id_list(query["product_id:in"], "product_id:in")
                found = [v for i in sorted(ids) if i in store.by_id for v in store.by_id[i].variants]
                variant_ids = sorted(variant.id for variant in found)
            elif "sku" in query:
                owners = store.by_sku.get(query["sku"].lower(), [])
                variant_ids = sorted(owner.id for owner in owners if isinstance(owner, Variant))
            elif "id" in query:
                variant_ids = [i for i in id_list(query["id"], "id") if i in store.variants]
            else:
                variant_ids = [] if query.get("upc") else store.variant_ids
            start = (page - 1) * limit
            taken = [store.variants[i] for i in variant_ids[start : start + limit]]
            fields = tuple(filter(None, query.get("include_fields", "").split(",")))
            rows = [self._renderer.variant(variant, fields) for variant in taken]
            return page_of(request, rows, len(variant_ids), page, limit)

    def assignments(self, request: Request) -> Response:
        self.known_only(request, ASSIGNMENT_OPTIONS)
        page, limit = self.paging(request, MAX_LIMIT)
        with self._store.lock:
            products = self._store.products
            if "product_id:in" in request.query:
                ids = id_list(request.query["product_id:in"], "product_id:in")
                products = [self._store.by_id[i] for i in sorted(ids) if i in self._store.by_id]
            wanted = request.query.get("channel_id:in")
            channels = id_list(wanted, "channel_id:in") if wanted else None
            pairs = [(p.id, c) for p in products for c in p.channels if channels is None or c in channels]
        start = (page - 1) * limit
        rows = [f'{{"product_id":{p},"channel_id":{c}}}'.encode() for p, c in pairs[start : start + limit]]
        return page_of(request, rows, len(pairs), page, limit)

    def known_only(self, request: Request, known: frozenset[str]) -> None:
        """An unknown filter is refused: a filter that is ignored would list what was not asked for."""
        unknown = sorted(set(request.query) - known)
        if unknown:
            self._counters.violation("unknown_filter", request.target)
            raise refuse(422, f"The filter(s): {', '.join(unknown)} are not valid filter parameter(s).")

    def paging(self, request: Request, highest: int) -> tuple[int, int]:
        limit = request.query.get("limit", "")
        if limit.isdecimal() and int(limit) > highest:
            self._counters.violation("limit_over_max", request.target)
        return whole(request, "page", 1), whole(request, "limit", min(DEFAULT_LIMIT, highest), highest)

    # Filters

    def _matching(self, request: Request) -> list[Product]:
        """Products by id that match. What hangs on channel and visibility alone is kept until one changes."""
        query = request.query
        rows = self._by_structure(query.get("channel_id:in", ""), query.get("is_visible", ""))
        if "id:in" in query or "id" in query:
            ids = id_list(query.get("id:in") or query["id"], "id:in")
            by_id = self._store.by_id
            members = set(rows) if query.get("channel_id:in") or query.get("is_visible") else None
            found = [by_id[i] for i in sorted(ids) if i in by_id]
            rows = [product for product in found if members is None or product in members]
        rows = rows[slice(*self._bounds(rows, query))] if set(_ID_BOUNDS) & set(query) else rows
        if "sku" in query or "sku:in" in query:
            skus = (
                {query["sku"].lower()} if "sku" in query else {s.lower() for s in query["sku:in"].split(",")}
            )
            rows = [product for product in rows if product.sku.lower() in skus]
        if "name" in query:
            rows = [product for product in rows if product.name == query["name"]]
        if "date_modified:min" in query:
            since = _time(query["date_modified:min"])
            rows = [product for product in rows if _time(product.modified) >= since]
        if "date_modified:max" in query:
            until = _time(query["date_modified:max"])
            rows = [product for product in rows if _time(product.modified) <= until]
        for name, test in _LEVELS.items():
            if name in query:
                rows = [product for product in rows if test(self._renderer.level(product), int(query[name]))]
        return rows

    def _by_structure(self, channels: str, visible: str) -> list[Product]:
        if self._cached_structure != self._store.structure:
            self._cache.clear()
            self._cached_structure = self._store.structure
        if (channels, visible) not in self._cache:
            wanted = id_list(channels, "channel_id:in") if channels else None
            self._cache[channels, visible] = [
                product
                for product in self._store.products
                if (wanted is None or wanted & set(product.channels))
                and (not visible or product.is_visible == (visible.lower() in ("1", "true")))
            ]
        return self._cache[channels, visible]

    def _bounds(self, rows: list[Product], query: dict[str, str]) -> tuple[int, int]:
        """`min` and `max` include their value, `greater` and `less` do not."""
        first, last = 0, len(rows)
        for name in _ID_BOUNDS:
            if name not in query:
                continue
            value = next(iter(id_list(query[name], name)))
            left = bisect_left(rows, value, key=lambda product: product.id)
            right = bisect_right(rows, value, key=lambda product: product.id)
            if name in ("id:min", "id:greater"):
                first = max(first, left if name == "id:min" else right)
            else:
                last = min(last, right if name == "id:max" else left)
        return first, last


def _time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise refuse(422, "The date is not valid", {"date_modified": "must be ISO 8601"}) from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _id(request: Request, name: str) -> int:
    text = request.params[name]
    if not text.isdecimal():
        raise refuse(404, "The requested resource was not found")
    return int(text)
