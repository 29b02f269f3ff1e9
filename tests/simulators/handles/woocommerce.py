"""The handle on a WooCommerce shop."""

from __future__ import annotations

from typing import Any

from .shop import ShopHandle


class WooCommerceHandle(ShopHandle):
    """A WooCommerce shop."""

    def __init__(self, described: dict[str, Any], certificate_file: str) -> None:
        super().__init__(described["name"], described["url"], certificate_file)
        self.consumer_key: str = described["consumer_key"]
        self.consumer_secret: str = described["consumer_secret"]

    def row(self, post_id: int) -> dict[str, Any]:
        """A product or variation: sku, stock_quantity, manage_stock, status, writes."""
        row: dict[str, Any] = self.control("row", product_id=post_id)
        return row

    def sell(self, post_id: int, quantity: int = 1) -> None:
        self.control("sell", product_id=post_id, quantity=quantity)

    def set_shop_stock(self, post_id: int, quantity: int) -> None:
        self.control("set_shop_stock", product_id=post_id, quantity=quantity)

    def create_product(self, **fields: Any) -> dict[str, Any]:
        """sku, quantity, manage_stock, status, type, id, variations=[{sku, quantity, manage_stock}]."""
        created: dict[str, Any] = self.control("create_product", **fields)
        return created

    def delete_product(self, post_id: int) -> None:
        """For good; a variation too."""
        self.control("delete_product", product_id=post_id)

    def trash_product(self, post_id: int) -> None:
        self.control("trash_product", product_id=post_id)

    def restore_product(self, post_id: int) -> None:
        self.control("restore_product", product_id=post_id)

    def change_product(self, post_id: int, **fields: Any) -> None:
        """Fields: sku, status, manage_stock, type, name, backorders; of a product or a variation."""
        self.control("change_product", product_id=post_id, **fields)

    def create_variation(self, product_id: int, **fields: Any) -> int:
        """sku, quantity, manage_stock, status; gives the variation's id."""
        made: dict[str, int] = self.control("create_variation", product_id=product_id, **fields)
        return made["variation_id"]

    # Webhooks

    def webhooks(self) -> list[dict[str, Any]]:
        """As the API shows them, with `failures` in a row and `ping_unanswered`."""
        webhooks: list[dict[str, Any]] = self.control("webhooks")["webhooks"]
        return webhooks

    def add_hook(self, topic: str, delivery_url: str, secret: str) -> int:
        """Makes a webhook without a call of the API; it is pinged, too. Gives its id."""
        hook: dict[str, Any] = self.control("add_hook", topic=topic, delivery_url=delivery_url, secret=secret)
        return int(hook["id"])

    def emit(self, topic: str, post_id: int, hook_id: int | None = None) -> int:
        """Tells the webhooks on `topic` now, whatever happened; how many were told."""
        more = {} if hook_id is None else {"hook_id": hook_id}
        told: int = self.control("emit", topic=topic, product_id=post_id, **more)["hooks"]
        return told
