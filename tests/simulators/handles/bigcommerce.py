"""The handle on a BigCommerce store."""

from __future__ import annotations

from typing import Any

from .shop import ShopHandle


class BigCommerceHandle(ShopHandle):
    """A BigCommerce store."""

    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["name"], described["url"])
        self.api_url: str = described["api_url"]
        self.store_hash: str = described["store_hash"]
        self.access_token: str = described["access_token"]
        self.client_secret: str = described["client_secret"]
        self.channel_ids: list[int] = described["channel_ids"]

    def row(self, **ids: int) -> dict[str, Any]:
        """`product_id=` or `variant_id=`: sku, on_hand by location, writes."""
        row: dict[str, Any] = self.control("row", **ids)
        return row

    def sell(self, quantity: int = 1, **ids: int) -> None:
        self.control("sell", quantity=quantity, **ids)

    def set_shop_stock(self, quantity: int, **ids: int) -> None:
        self.control("set_shop_stock", quantity=quantity, **ids)

    def create_product(self, **fields: Any) -> dict[str, Any]:
        """sku, quantity, tracking, channels, id, variants=[{sku, quantity}]; gives the ids."""
        created: dict[str, Any] = self.control("create_product", **fields)
        return created

    def delete_product(self, product_id: int) -> None:
        self.control("delete_product", product_id=product_id)

    def change_product(self, product_id: int, **fields: Any) -> None:
        """Fields: name, sku, tracking, channels, is_visible, safety_stock."""
        self.control("change_product", product_id=product_id, **fields)

    def change_variant_sku(self, variant_id: int, sku: str) -> None:
        self.control("change_variant_sku", variant_id=variant_id, sku=sku)

    def land_all(self) -> None:
        """Lands what is pending now."""
        self.control("land_all")

    def set_landing(self, min_seconds: float, max_seconds: float) -> None:
        """How late accepted writes land; (0, 0): at once."""
        self.configure(landing=[min_seconds, max_seconds])

    def create_variant(self, product_id: int, sku: str = "", quantity: int = 0) -> int:
        """Of a product made with variants; gives the variant's id."""
        made: dict[str, int] = self.control(
            "create_variant", product_id=product_id, sku=sku, quantity=quantity
        )
        return made["variant_id"]

    def delete_variant(self, variant_id: int) -> None:
        self.control("delete_variant", variant_id=variant_id)

    # Webhooks

    def hooks(self) -> list[dict[str, Any]]:
        """As the API shows them to the token that made them; also those that others made."""
        hooks: list[dict[str, Any]] = self.control("hooks")["hooks"]
        return hooks

    def add_hook(self, scope: str, destination: str, **headers: str) -> int:
        """Makes a hook without a call of the API; gives its id."""
        hook: dict[str, Any] = self.control("add_hook", scope=scope, destination=destination, headers=headers)
        return int(hook["id"])

    def emit(
        self, scope: str, *, late: bool | float = False, hook_id: int | None = None, **event: Any
    ) -> int:
        """Tells the hooks on `scope` now, whatever happened; how many were told.

        `event`: product_id, variant_id, value, or `data` as it stands. `late` (True: an hour, or seconds)
        sets back what is signed.
        """
        more = {} if hook_id is None else {"hook_id": hook_id}
        told: int = self.control("emit", topic=scope, late=late, **more, **event)["hooks"]
        return told
