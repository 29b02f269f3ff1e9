"""BigCommerce's catalogue in parallel lanes: ranges of product id, walked by the last id seen.

Offset pages shift when products come and go; a lane asks for ids greater than the last one it saw, so
nothing is skipped or read twice. The lanes' borders come from three one-row calls that are placed on page
borders: four lanes of whole pages, however unevenly the ids are spread, at no page more than one lane takes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from workers.clients.bigcommerce_api import UNASKED, BigCommerceApi
from workers.clients.bigcommerce_rows import IDENTIFIED, PRODUCTS, Product
from workers.clients.shop import Cursor
from workers.clients.typed import chunked
from workers.errors import BadAnswer

PAGE_ROWS = 250  # most products a page; include=variants does not lower it (vendor's docs)
LANES = 4
FEW_PRODUCTS = 2_000  # below it one lane is done before four would pay for their borders
FIELDS = "sku,name,inventory_level,inventory_tracking"
BY_ID = {"sort": "id", "direction": "asc"}


def channel_filter(channel_ids: Sequence[int]) -> dict[str, str]:
    return {"channel_id:in": ",".join(map(str, channel_ids))} if channel_ids else {}


def count(api: BigCommerceApi, channel_ids: Sequence[int]) -> int:
    """How many products the channels hold (none named: the whole store)."""
    params = {"limit": 1, "include_fields": "sku", **channel_filter(channel_ids)}
    return api.page("v3/catalog/products", IDENTIFIED, params).total


def lanes(api: BigCommerceApi, channel_ids: Sequence[int], products: int) -> tuple[Cursor, ...]:
    """Where the listing begins: one open lane, or four of which the last is open for products to come."""
    borders: list[int] = []
    if products > FEW_PRODUCTS:
        rows_a_lane = math.ceil(products / PAGE_ROWS / LANES) * PAGE_ROWS
        for ordinal in range(rows_a_lane, products, rows_a_lane):
            border = _id_at(api, channel_ids, ordinal)
            if border is not None and border > (borders[-1] if borders else 0):
                borders.append(border)
    edges = itertools.pairwise([0, *borders, None])
    return tuple({"after": after, "upto": upto, "of": products} for after, upto in edges)


def read_lane(
    api: BigCommerceApi, channel_ids: Sequence[int], cursor: Cursor
) -> tuple[list[Product], tuple[Cursor, ...]]:
    """One page of a lane, and where the lane goes on."""
    after, upto = int(cursor["after"]), cursor["upto"]
    params: dict[str, Any] = {**_whole_products(channel_ids), **BY_ID}
    if after:
        params["id:greater"] = after
    if upto is not None:
        params["id:max"] = upto
    listed = api.page("v3/catalog/products", PRODUCTS, params)
    ids = [after, *(product.id for product in listed.rows)]
    if any(later <= earlier for earlier, later in itertools.pairwise(ids)) or ids[-1] > (upto or ids[-1]):
        raise BadAnswer("BigCommerce catalog/products: not in order of id within the range", code="order")
    goes_on = bool(listed.rows) and listed.total > len(listed.rows)
    return listed.rows, ({**cursor, "after": ids[-1]},) if goes_on else ()


def read_by_id(api: BigCommerceApi, channel_ids: Sequence[int], product_ids: Sequence[int]) -> list[Product]:
    """The products that exist in the channels, of those asked for.

    Raises BadAnswer where others came back: what such an answer lacks would be taken for deleted.
    """
    found: list[Product] = []
    for group in chunked(list(dict.fromkeys(product_ids)), most=PAGE_ROWS):
        params = {**_whole_products(channel_ids), **BY_ID, "id:in": ",".join(map(str, group))}
        read = api.all_rows("v3/catalog/products", PRODUCTS, params)
        if not {product.id for product in read} <= set(group):
            raise BadAnswer(
                "BigCommerce catalog/products: products came back that were not asked for", code=UNASKED
            )
        found.extend(read)
    return found


def _whole_products(channel_ids: Sequence[int]) -> Mapping[str, Any]:
    return {
        "limit": PAGE_ROWS,
        "include": "variants",
        "include_fields": FIELDS,
        **channel_filter(channel_ids),
    }


def _id_at(api: BigCommerceApi, channel_ids: Sequence[int], ordinal: int) -> int | None:
    """The id of the nth product in order of id."""
    params = {"limit": 1, "page": ordinal, "include_fields": "sku", **BY_ID, **channel_filter(channel_ids)}
    rows = api.page("v3/catalog/products", IDENTIFIED, params).rows
    return rows[0].id if rows else None
