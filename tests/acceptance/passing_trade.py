"""Shops that are open while others are synced: sales and surpluses in them, told by signed deliveries, and timed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, cycle

from models.database import rows
from models.site import BIGCOMMERCE, Site
from tests import deliveries
from tests.acceptance.meanwhile import Meanwhile
from tests.flood import Sent, send_all
from tests.simulators.handles import BigCommerceHandle, WooCommerceHandle

PLENTY = 100  # pieces in stock: a product is sold often in a long night
WINDOW_SECONDS = (
    6.0  # a second event of a product within five waits for their end, by design: none comes so soon
)


@dataclass(frozen=True)
class OpenShop:
    """A shop in sync, its site, and products of which it has plenty: (product, what it must show)."""

    shop: BigCommerceHandle | WooCommerceHandle
    site: Site
    products: list[tuple[int, int]]

    @classmethod
    def of(cls, shop: BigCommerceHandle | WooCommerceHandle, site: Site) -> OpenShop:
        """Its simple products that are right now.

        Not those that showed about as much before: BigCommerce may still seem to show that by mere lateness.
        """
        found = rows(
            "SELECT product_id, wanted FROM rm_items WHERE site_id = %s AND active AND skip_reason IS NULL"
            " AND variant_id = 0 AND wanted > %s AND shown = wanted AND coalesce(shown_before, 0) < wanted - %s"
            " ORDER BY product_id",
            (site.id, PLENTY, PLENTY // 2),
        )
        return cls(shop, site, [(product_id, wanted) for product_id, wanted in found])

    def sell(self, product_id: int) -> None:
        """A shopper takes one."""
        if isinstance(self.shop, BigCommerceHandle):
            self.shop.sell(product_id=product_id)
        else:
            self.shop.sell(product_id)

    def show(self, product_id: int, quantity: int) -> None:
        """Somebody types a quantity into the shop's own back office."""
        if isinstance(self.shop, BigCommerceHandle):
            self.shop.set_shop_stock(quantity, product_id=product_id)
        else:
            self.shop.set_shop_stock(product_id, quantity)


@dataclass(frozen=True)
class Told:
    """A delivery. back_to: what the shop must be written to show again; None: a sale, which only has to be noted."""

    at: OpenShop
    product_id: int
    back_to: int | None
    status: int | None
    sent_at: float


class PassingTrade(Meanwhile):
    """From start to end of a block something happens in one of the shops every so many seconds."""

    def __init__(self, port: int, shops: Sequence[OpenShop], every: float) -> None:
        super().__init__()
        self._port, self._shops, self._every = port, shops, every
        self.told: list[Told] = []

    def _run(self) -> None:
        # Of each shop some products are only sold, the others only get a surplus: the first stay below their stock.
        goods = [(cycle(shop.products[::2]), cycle(shop.products[1::2])) for shop in self._shops]
        turn = 2 * len(self._shops) * self._every
        assert all(len(shop.products) // 2 * turn > WINDOW_SECONDS for shop in self._shops), self._shops
        for number in count(1):
            place = number % len(self._shops)
            shop, (sold, surplus) = self._shops[place], goods[place]
            is_sale = bool(number // len(self._shops) % 2)
            product_id, wanted = next(sold if is_sale else surplus)
            if is_sale:
                shop.sell(product_id)
            else:
                shop.show(product_id, wanted + number)  # never the same again, which might be lateness too
            self.told.append(self._tell(shop, product_id, None if is_sale else wanted))
            if self._closing.wait(self._every):
                return

    def _tell(self, shop: OpenShop, product_id: int, back_to: int | None) -> Told:
        if shop.site.platform == BIGCOMMERCE:
            body = deliveries.bigcommerce_body(product_id, producer=f"stores/{shop.site.store_hash}")
            headers = deliveries.bigcommerce_headers(body)
        else:
            body, headers = deliveries.delivery(shop.site, product_id)
        sent = Sent(deliveries.path(shop.site), headers, body, product_id, "")
        (answer,) = send_all(self._port, [sent], connections=1)
        return Told(shop, product_id, back_to, answer.status, answer.sent_at)


def seconds_to_effect(told: Sequence[Told]) -> list[float]:
    """From each delivery's sending to the shop's write (a surplus) or to its end in our log (a sale).

    Infinity where that never came. Both clocks are this machine's.
    """
    noted, written = _noted(told), _written(told)
    found = []
    for delivery in told:
        key = (delivery.at.site.id, delivery.product_id)
        moments = noted[key] if delivery.back_to is None else written[(*key, delivery.back_to)]
        effect = next((moment for moment in moments if moment >= delivery.sent_at), math.inf)
        found.append(effect - delivery.sent_at)
    return found


def _noted(told: Sequence[Told]) -> dict[tuple[int, int], list[float]]:
    found = defaultdict(list)
    for site_id, product_id, processed_at in rows(
        "SELECT site_id, product_id, extract(epoch FROM processed_at)::double precision FROM rm_webhook_log"
        " WHERE status = 'completed' AND site_id = ANY (%s) ORDER BY processed_at",
        (list({delivery.at.site.id for delivery in told}),),
    ):
        found[site_id, product_id].append(processed_at)
    return found


def _written(told: Sequence[Told]) -> dict[tuple[int, int, int], list[float]]:
    found = defaultdict(list)
    for at in {delivery.at.site.id: delivery.at for delivery in told}.values():
        for write in at.shop.writes():
            found[at.site.id, write["product_id"], write["quantity"]].append(write["received_at"])
    return found


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The percentile of what is sorted."""
    return ordered[min(math.ceil(len(ordered) * percent / 100), len(ordered)) - 1]
