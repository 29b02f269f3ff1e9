"""One BigCommerce store as a shop: what may be asked of it, in the fewest calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from models.config import settings
from workers.clients import bigcommerce_check as checking
from workers.clients import bigcommerce_listing as listing
from workers.clients import bigcommerce_stock as stock
from workers.clients import bigcommerce_writes as writing
from workers.clients.bigcommerce_api import BigCommerceApi, BigCommerceConnection, refusal_text
from workers.clients.bigcommerce_hooks import BigCommerceHooks
from workers.clients.bigcommerce_rows import Channel, Location, Product, rows_of, with_on_hand
from workers.clients.http import Gate
from workers.clients.shop import (
    BeforeWrite,
    CheckResult,
    Cursor,
    ItemRef,
    ProductsRead,
    ShopFacts,
    ShopItem,
    ShopPage,
    StockWrite,
    WriteResult,
)

__all__ = ["BigCommerceClient", "BigCommerceConnection"]

REASON = "Stock from Business Central"  # shown to the merchant in the store's inventory history


class BigCommerceClient:
    """A ShopClient. Facts come from the vendor's docs as noted in the modules beside this one.

    settle_seconds, write_deadline: None = this process's settings.
    """

    def __init__(
        self,
        connection: BigCommerceConnection,
        gate: Gate | None = None,
        *,
        settle_seconds: float | None = None,
        write_deadline: float | None = None,
        allow_private: bool | None = None,
    ) -> None:
        self._connection = connection
        self._api = BigCommerceApi(connection, gate, allow_private=allow_private)
        self._details: dict[str, Any] = dict(connection.details)
        self._write_deadline = write_deadline
        self._location_proven = False
        self.calls = self._api.calls
        self.settle_seconds = settings().settle_seconds if settle_seconds is None else settle_seconds

    @property
    def details(self) -> Mapping[str, Any]:
        """What was found out so far, for the next connection."""
        return dict(self._details)

    def facts(self, highest_known_product: int | None) -> ShopFacts:
        """Locations, counts, one page of the inventory and lane borders: two to seven calls.

        The highest known id isn't needed: the borders are asked for by place, which splits any spread of
        ids evenly. Raises ConfigurationError (location_id) where a person has to choose.
        """
        channel_ids = self._connection.channel_ids
        self._learn()
        products = listing.count(self._api, channel_ids)
        outside = listing.count(self._api, ()) - products if channel_ids else 0
        return ShopFacts(
            products=products,
            outside=max(outside, 0),
            pages=max(math.ceil(products / listing.PAGE_ROWS), 1),
            cursors=listing.lanes(self._api, channel_ids, products),
            details=self.details,
        )

    def list_page(self, cursor: Cursor) -> ShopPage:
        """One page of a lane. `total` is what facts() counted: what comes and goes can't shift a lane."""
        products, more = listing.read_lane(self._api, self._connection.channel_ids, cursor)
        items = self._rows(products)
        return ShopPage(tuple(items), tuple(item.ref for item in items), more, int(cursor["of"]))

    def read_products(self, product_ids: Sequence[int]) -> ProductsRead:
        products = listing.read_by_id(self._api, self._connection.channel_ids, product_ids)
        return ProductsRead(tuple(self._rows(products)), frozenset(product.id for product in products))

    def read_stock(self, refs: Sequence[ItemRef]) -> Mapping[ItemRef, int]:
        """On hand at the written location; rows that the shop does not list there are left out."""
        return stock.on_hand(self._api, self._location_id(), refs)

    def batches(self, writes: Sequence[StockWrite]) -> list[list[StockWrite]]:
        return writing.batches(writes)

    def set_stock(self, batch: Sequence[StockWrite], before: BeforeWrite) -> list[WriteResult]:
        """Set on-hand quantities. Accepted means accepted: the store shows it within `settle_seconds`.

        Raises PartialWrite once some rows are decided, else what the call raised.
        """

        def send(rows: Sequence[StockWrite]) -> str | None:
            before(rows)
            return self._adjust(rows)

        return writing.write_rows(batch, send)

    def check(self) -> list[CheckResult]:
        return checking.check(self._api, self._connection)

    def hooks(self) -> BigCommerceHooks:
        """The webhooks that this token has made."""
        return BigCommerceHooks(self._api)

    def channels(self) -> list[Channel]:
        """To choose from: id and name."""
        return checking.channels(self._api)

    def locations(self) -> list[Location]:
        """To choose from: id, label and whether it is enabled."""
        return stock.locations(self._api)

    def close(self) -> None:
        self._api.close()

    def _adjust(self, rows: Sequence[StockWrite]) -> str | None:
        location_id = self._location_id()
        items = [
            {"location_id": location_id, **writing.identity(row), "quantity": row.quantity} for row in rows
        ]
        answer = self._api.request(
            "PUT",
            "v3/inventory/adjustments/absolute",
            route="inventory/adjustments/absolute",
            json={"reason": REASON, "items": items},
            deadline=self._write_deadline or settings().write_deadline_seconds,
            writes=True,
            expect=(200, 422),
        )
        if answer.status == 422:
            return self._refusal(refusal_text(answer))
        answer.json()  # a 200 that isn't JSON comes from something in between: nobody knows what was done
        return None

    def _refusal(self, text: str) -> str:
        """The text, unless it is the location that is refused: then no row is at fault, and no row will do.

        Raises ConfigurationError with the locations to choose from.
        """
        if "location" in text.lower() and not self._location_proven:
            stock.choose(stock.locations(self._api), self._location_id())
            self._location_proven = True
        return text

    def _rows(self, products: Sequence[Product]) -> list[ShopItem]:
        rows = [row for product in products for row in rows_of(product)]
        if "read_inventory" not in self._details:
            self._learn()
        if not products or not self._details["read_inventory"]:
            return rows
        ids = [product.id for product in products]
        return with_on_hand(rows, stock.on_hand_of_products(self._api, self._location_id(), ids))

    def _learn(self) -> None:
        """Which location is written, and whether `inventory_level` can stand for what is on hand there."""
        found = stock.locations(self._api)
        location_id = stock.choose(found, self._connection.location_id).id
        self._details["location_id"] = location_id
        if sum(location.enabled for location in found) > 1:
            self._details["read_inventory"] = True
        if not self._details.get("read_inventory"):
            self._details.update(stock.probe(self._api, location_id, self._details))

    def _location_id(self) -> int:
        if self._connection.location_id is not None:
            return self._connection.location_id
        if "location_id" not in self._details:
            self._learn()
        return int(self._details["location_id"])
