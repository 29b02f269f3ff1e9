"""WooCommerce's catalogue page by page, from the last page down, and the variations beside it.

There is no listing by ranges of id. Pages are sorted by id: what is deleted moves later rows to lower
pages, so that reading from the last page down meets them again instead of missing them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from workers.clients.shop import Cursor, ItemRef, ShopItem, ShopPage
from workers.clients.typed import chunked
from workers.clients.woocommerce_api import NO_ROUTE, Listed, WooCommerceApi
from workers.clients.woocommerce_rows import (
    IDENTIFIED,
    PRODUCTS,
    VARIATIONS,
    Product,
    Variation,
    present,
    product_rows,
    variation_rows,
)
from workers.errors import BadAnswer, NotFound

PAGE_ROWS = 100  # most rows a page; 101 is refused
PARENTS_A_CURSOR = 20  # calls of one job at least: some seconds at a usual shop's speed
UNASKED = "unasked_row"
MOST_RESTARTS = 3  # of one parent's variations that change while they are read
PRODUCT_FIELDS = "id,sku,name,type,status,manage_stock,stock_quantity"
VARIATION_FIELDS = "id,sku,name,status,parent_id,manage_stock,stock_quantity"
BY_ID = {"orderby": "id", "order": "asc", "per_page": PAGE_ROWS}


def count(api: WooCommerceApi, path: str = "products") -> int:
    """How many rows a list has; drafts count, trash doesn't."""
    return api.listed(path, IDENTIFIED, {"per_page": 1, "_fields": "id"}).total


def count_flat_variations(api: WooCommerceApi) -> int | None:
    """All variations of the shop, or None before WooCommerce 10.3, which has no such list."""
    try:
        return count(api, "variations")
    except NotFound as error:
        if error.code != NO_ROUTE:
            raise
        return None


def cursors(products: int, variations: int | None) -> tuple[Cursor, ...]:
    """Every page of the two lists, last page first; without the flat list product pages name the parents."""
    flat = variations is not None
    listings = [("products", products)] + ([("variations", variations)] if variations else [])
    return tuple(
        {"listing": name, "page": page, "last": last, "of": rows, "products": products, "flat": flat}
        for name, rows in listings
        for last in [max(math.ceil(rows / PAGE_ROWS), 1)]
        for page in range(last, 0, -1)
    )


def read_page(api: WooCommerceApi, cursor: Cursor) -> ShopPage:
    """The page that the cursor names, with the cursors that it made known."""
    match cursor["listing"]:
        case "products":
            listed = api.listed("products", PRODUCTS, _page(cursor, PRODUCT_FIELDS))
            items = product_rows(listed.rows)
            return _shop_page(items, cursor, listed, _parents(listed.rows, cursor))
        case "variations":
            flat = api.listed("variations", VARIATIONS, _page(cursor, VARIATION_FIELDS))
            return _shop_page(variation_rows(flat.rows), cursor, flat, ())
        case "parents":
            rows = [row for parent in cursor["ids"] for row in variations_of(api, parent)]
            return ShopPage(tuple(rows), tuple(row.ref for row in rows), (), int(cursor["products"]))
    raise ValueError(f"not a cursor of this client: {cursor['listing']!r}")


def read_by_id(api: WooCommerceApi, product_ids: Sequence[int]) -> list[Product]:
    """The products that exist, of those asked for; `include` drops variation ids and trash.

    Raises BadAnswer where others came back: what such an answer lacks would be taken for deleted.
    """
    found: list[Product] = []
    for group in chunked(list(dict.fromkeys(product_ids)), most=PAGE_ROWS):
        params = {**BY_ID, "_fields": PRODUCT_FIELDS, "include": ",".join(map(str, group))}
        read = api.listed("products", PRODUCTS, params).rows
        if not {product.id for product in read} <= set(group):
            raise BadAnswer("WooCommerce products: products came back that were not asked for", code=UNASKED)
        found.extend(product for product in read if present(product))
    return found


def variations_of(api: WooCommerceApi, parent_id: int) -> list[ShopItem]:
    """One parent's variations; none where it has been deleted meanwhile."""
    try:
        for _ in range(MOST_RESTARTS):
            pages = list(_pages_of(api, parent_id))
            found = [row for page in pages for row in page.rows]
            if len({page.total for page in pages}) == 1 and len({row.id for row in found}) == len(found):
                return variation_rows(found, parent_id)
    except NotFound as error:
        if error.code in (None, NO_ROUTE):
            raise
        return []
    raise BadAnswer(f"WooCommerce products/{parent_id}/variations: changed during each read", code="moving")


def read_stock(api: WooCommerceApi, refs: Sequence[ItemRef]) -> dict[ItemRef, int]:
    """Stock by row; rows that hold none of their own (any more) are left out."""
    wanted = set(refs)
    rows = product_rows(read_by_id(api, sorted(ref.product_id for ref in wanted if not ref.variant_id)))
    for parent in sorted({ref.product_id for ref in wanted if ref.variant_id}):
        rows.extend(variations_of(api, parent))
    return {row.ref: row.shown for row in rows if row.ref in wanted and row.shown is not None}


def _page(cursor: Cursor, fields: str) -> dict[str, Any]:
    return {**BY_ID, "page": cursor["page"], "_fields": fields}


def _shop_page(
    items: list[ShopItem], cursor: Cursor, listed: Listed[Any], more: Sequence[Cursor]
) -> ShopPage:
    """`total` is the number of products, moved by what came to or went from the list that was read."""
    total = int(cursor["products"]) + listed.total - int(cursor["of"])
    grown = cursor["page"] == cursor["last"] and listed.pages > cursor["last"]
    beyond = [{**cursor, "page": cursor["last"] + 1, "last": cursor["last"] + 1}] if grown else []
    return ShopPage(tuple(items), tuple(item.ref for item in items), (*more, *beyond), total)


def _parents(products: Sequence[Product], cursor: Cursor) -> list[Cursor]:
    if cursor["flat"]:
        return []
    ids = [product.id for product in products if product.type == "variable" and present(product)]
    groups = (ids[start : start + PARENTS_A_CURSOR] for start in range(0, len(ids), PARENTS_A_CURSOR))
    return [{"listing": "parents", "ids": group, "products": cursor["products"]} for group in groups]


def _pages_of(api: WooCommerceApi, parent_id: int) -> Iterator[Listed[Variation]]:
    """The first page tells how many there are; the others from the last down."""
    path, route = f"products/{parent_id}/variations", "products/{id}/variations"
    params = {**BY_ID, "_fields": VARIATION_FIELDS}
    first = api.listed(path, VARIATIONS, params, route=route)
    yield first
    for number in itertools.count(first.pages, -1):
        if number < 2:
            return
        yield api.listed(path, VARIATIONS, {**params, "page": number}, route=route)
