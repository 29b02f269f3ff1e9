"""Webhooks that arrive while something goes wrong: one signed delivery after the other, whatever becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from models.site import BIGCOMMERCE, Site
from tests import deliveries
from tests.acceptance.meanwhile import Meanwhile
from tests.flood import Answered, Sent, send_all
from tests.simulators.handles import ShopHandle

EVERY_SECONDS = 0.1


class Knocking(Meanwhile):
    """From start to end of a block the shops take turns in telling of one of their products.

    name: what the deliveries' keys begin with: another for each block of a test.
    answers: what became of each delivery, for `reckon`.
    """

    def __init__(
        self, port: int, sites: dict[ShopHandle, Site], every: float = EVERY_SECONDS, name: str = "knock"
    ) -> None:
        super().__init__()
        self._port, self._every, self._name = port, every, name
        self._sites = [(site, _products(shop)) for shop, site in sites.items()]
        self.answers: list[Answered] = []

    def _run(self) -> None:
        for number in count():
            site, products = self._sites[number % len(self._sites)]
            product_id = products[number // len(self._sites) % len(products)]
            self.answers += self.send(signed(site, product_id, f"{self._name}-{number}"))
            if self._closing.wait(self._every):
                return

    def send(self, delivery: Sent) -> list[Answered]:
        """Send one, and tell what became of it."""
        return send_all(self._port, [delivery], connections=1)


def signed(site: Site, product_id: int, key: str) -> Sent:
    """A delivery as the site's platform sends it. At WooCommerce, which names none, the key is the request's id."""
    if site.platform == BIGCOMMERCE:
        body = deliveries.bigcommerce_body(product_id, producer=f"stores/{site.store_hash}")
        headers = deliveries.bigcommerce_headers(body, delivery_id=key)
    else:
        body = deliveries.woocommerce_body(product_id)
        headers = {**deliveries.woocommerce_headers(body), "X-Request-ID": key}
    return Sent(deliveries.path(site), headers, body, product_id, key)


def _products(shop: ShopHandle) -> Sequence[int]:
    """Without those of which a row is ambiguous: before a site's first listing is through, nobody can know."""
    truth = shop.truth()
    unknown = {row["product_id"] for row in truth if "ambiguous" in row["reasons"]}
    return sorted({row["product_id"] for row in truth if row["expected"] is not None} - unknown)
