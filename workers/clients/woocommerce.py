"""One WooCommerce shop: what may be asked of it, in the fewest calls."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from models.config import settings
from workers.clients import woocommerce_check as checking
from workers.clients import woocommerce_listing as listing
from workers.clients import woocommerce_writes as writing
from workers.clients.http import Gate
from workers.clients.shop import (
    BeforeWrite,
    CheckResult,
    Cursor,
    ItemRef,
    ProductsRead,
    ShopFacts,
    ShopPage,
    StockWrite,
    WriteResult,
)
from workers.clients.woocommerce_api import UNKNOWN_KEY, WooCommerceApi, WooCommerceConnection
from workers.clients.woocommerce_hooks import WooCommerceHooks
from workers.clients.woocommerce_rows import product_rows
from workers.errors import AuthenticationRefused

__all__ = ["WooCommerceClient", "WooCommerceConnection"]


class WooCommerceClient:
    """A ShopClient. Facts come from the vendor's source as noted in the modules beside this one.

    write_deadline: None = this process's setting.
    """

    settle_seconds: float = 0.0  # a batch answers with what the shop shows from then on

    def __init__(
        self,
        connection: WooCommerceConnection,
        gate: Gate | None = None,
        *,
        write_deadline: float | None = None,
        allow_private: bool | None = None,
    ) -> None:
        self._connection = connection
        self._gate = gate
        self._allow_private = allow_private
        self._write_deadline = write_deadline
        self._details: dict[str, Any] = dict(connection.details)
        self.calls: Counter[str] = Counter()
        self._api = self._open(str(self._details.get("auth") or "basic"))

    @property
    def details(self) -> Mapping[str, Any]:
        """What was found out so far, for the next connection: after check() as after facts()."""
        return dict(self._details)

    def facts(self, highest_known_product: int | None) -> ShopFacts:
        """Stock management, number of products and of variations: three calls.

        Raises PermanentFailure where the shop's stock management is off. The highest known id is of no use
        here: there is no listing by ranges of id.
        """
        products = self._count_products()
        checking.demand_stock_management(self._api)
        variations = None
        if self._details.get("flat_variations") is not False:
            variations = listing.count_flat_variations(self._api)
            self._details["flat_variations"] = variations is not None
        cursors = listing.cursors(products, variations)
        pages = max(math.ceil(products / listing.PAGE_ROWS), 1)
        pages += math.ceil((variations or 0) / listing.PAGE_ROWS)
        return ShopFacts(products, outside=0, pages=pages, cursors=cursors, details=self.details)

    def list_page(self, cursor: Cursor) -> ShopPage:
        """One page. `total` differs from facts().products where the list that was read has moved since."""
        return listing.read_page(self._api, cursor)

    def read_products(self, product_ids: Sequence[int]) -> ProductsRead:
        """Products with their variations: one call a hundred, and one (or more) a variable product."""
        products = listing.read_by_id(self._api, product_ids)
        rows = product_rows(products)
        for product in products:
            if product.type == "variable":
                rows.extend(listing.variations_of(self._api, product.id))
        return ProductsRead(tuple(rows), frozenset(product.id for product in products))

    def read_stock(self, refs: Sequence[ItemRef]) -> Mapping[ItemRef, int]:
        """Stock by row; rows that hold none of their own are left out."""
        return listing.read_stock(self._api, refs)

    def batches(self, writes: Sequence[StockWrite]) -> list[list[StockWrite]]:
        return writing.batches(writes)

    def set_stock(self, batch: Sequence[StockWrite], before: BeforeWrite) -> list[WriteResult]:
        """Set quantities; each result carries what the shop shows now."""
        deadline = self._write_deadline or settings().write_deadline_seconds
        return writing.write_rows(self._api, batch, before, deadline)

    def check(self) -> list[CheckResult]:
        return checking.check(self._connection, self._enter)

    def hooks(self) -> WooCommerceHooks:
        """The shop's webhooks. Where nothing was asked of this shop yet, one call finds the way in first."""
        return WooCommerceHooks(self._api if self._details else self._enter())

    def close(self) -> None:
        self._api.close()

    def _enter(self) -> WooCommerceApi:
        self._count_products()
        return self._api

    def _count_products(self) -> int:
        """The first call of a run, so it also finds out how this host lets the keys through.

        An unknown key and a host that strips Authorization answer alike: the keys in the query tell which.
        """
        try:
            return listing.count(self._api)
        except AuthenticationRefused as error:
            if error.code != UNKNOWN_KEY or not self._connection.secure or self._api.mode == "query":
                raise
        basic, self._api = self._api, self._open("query")
        try:
            products = listing.count(self._api)
        except AuthenticationRefused:
            self._api.close()
            self._api = basic
            raise
        basic.close()
        self._details["auth"] = "query"
        return products

    def _open(self, mode: str) -> WooCommerceApi:
        api = WooCommerceApi(self._connection, self._gate, mode=mode, allow_private=self._allow_private)
        api.calls = self.calls
        return api
