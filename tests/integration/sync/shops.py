"""One shop with its site, in the same words for both platforms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from models.company import Company
from models.database import row, rows
from models.site import Site
from tests.places import bigcommerce_site, woocommerce_site
from tests.simulators.handles import BigCommerceHandle, BusinessCentralHandle, WooCommerceHandle


@dataclass(frozen=True)
class Shops:
    """The simulators of one test. The shops are its own; Business Central was cleared after the test before."""

    bc: BusinessCentralHandle
    bigcommerce: list[BigCommerceHandle]
    woocommerce: list[WooCommerceHandle]

    def clear_bc(self) -> None:
        """As it was when it began: no items, no faults, no counts."""
        self.bc.set_faults()
        self.bc.set_latency(0)
        self.bc.configure(secret_expired=False)
        for number in self.bc.stock():
            self.bc.remove_item(number)
        self.bc.reset()


class Shop:
    """A BigCommerce store or a WooCommerce shop that begins empty. `bc`: what it should be equal to."""

    list_route: str
    write_route: str

    def __init__(
        self, bc: BusinessCentralHandle, handle: BigCommerceHandle | WooCommerceHandle, site: Site
    ) -> None:
        self.bc, self.handle, self.site = bc, handle, site

    def add(self, sku: str, quantity: int = 0, **fields: Any) -> int:
        """A product that holds stock; gives its id."""
        created = self.handle.create_product(sku=sku, quantity=quantity, **fields)
        return int(created["product_id"])

    def add_stocked(self, sku: str, in_bc: float | str, shown: int = 0, **fields: Any) -> int:
        """A product whose SKU Business Central knows."""
        self.bc.add_item(sku.strip().upper(), in_bc)
        return self.add(sku, shown, **fields)

    def add_many(self, skus: Iterable[str], quantity: int = 0) -> dict[str, int]:
        """Simple products, in order of id."""
        return {sku: self.add(sku, quantity) for sku in skus}

    def delete(self, product_id: int) -> None:
        """Gone for good."""
        self.handle.delete_product(product_id)

    def shown(self, product_id: int) -> int:
        """What the shop shows for a simple product."""
        raise NotImplementedError

    def set_in_shop(self, product_id: int, quantity: int) -> None:
        """Someone changes the number in the shop itself."""
        raise NotImplementedError

    def item(self, product_id: int, variant_id: int = 0) -> dict[str, Any]:
        """Our row of it."""
        found = row(
            "SELECT to_jsonb(i) FROM rm_items i WHERE site_id = %s AND product_id = %s AND variant_id = %s",
            (self.site.id, product_id, variant_id),
        )
        assert found is not None, f"no row of product {product_id}, variant {variant_id}"
        fields: dict[str, Any] = found[0]
        return fields

    def reasons(self) -> dict[str, str | None]:
        """SKU -> why it is left alone, of all active rows."""
        found = rows("SELECT sku, skip_reason FROM rm_items WHERE site_id = %s AND active", (self.site.id,))
        return dict(found)

    def active(self) -> set[int]:
        """Products that we hold to be in the shop."""
        found = rows("SELECT product_id FROM rm_items WHERE site_id = %s AND active", (self.site.id,))
        return {product_id for (product_id,) in found}

    def written(self) -> list[tuple[str, int]]:
        """(SKU, quantity) of every stock write that the shop has accepted so far, in order."""
        return [(write["sku"], write["quantity"]) for write in self.handle.writes()]


class BigCommerceShop(Shop):
    """A BigCommerce store whose writes show at once, unless a test says otherwise."""

    handle: BigCommerceHandle
    list_route = "GET /catalog/products"
    write_route = "PUT /inventory/adjustments/absolute"

    def __init__(
        self, bc: BusinessCentralHandle, owner: Company, handle: BigCommerceHandle, **site: Any
    ) -> None:
        handle.set_landing(0, 0)
        super().__init__(
            bc, handle, bigcommerce_site(owner, handle, **{"channel_ids": handle.channel_ids, **site})
        )

    def shown(self, product_id: int) -> int:
        (quantity,) = self.handle.row(product_id=product_id)["on_hand"].values()
        return int(quantity)

    def set_in_shop(self, product_id: int, quantity: int) -> None:
        self.handle.set_shop_stock(quantity, product_id=product_id)


class WooCommerceShop(Shop):
    """A WooCommerce shop."""

    handle: WooCommerceHandle
    list_route = "GET /products"
    write_route = "POST /products/batch"

    def __init__(
        self, bc: BusinessCentralHandle, owner: Company, handle: WooCommerceHandle, **site: Any
    ) -> None:
        super().__init__(bc, handle, woocommerce_site(owner, handle, **site))

    def shown(self, product_id: int) -> int:
        return int(self.handle.row(product_id)["stock_quantity"])

    def set_in_shop(self, product_id: int, quantity: int) -> None:
        self.handle.set_shop_stock(product_id, quantity)
