"""WooCommerce's products and variations as the shop's rows: who holds the stock, and how much."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, TypeAdapter

from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.clients.typed import Row
from workers.errors import BadAnswer

ManageStock = bool | Literal["parent"]


def whole(quantity: Any) -> int | None:
    """A whole quantity, else None. Plugins for fractional stock send 2.5 or "2.5".

    None differs from every wanted quantity, so that a fraction or a missing number is set right by the next
    sync; cutting 2.5 to 2 here would call it equal to 2. Raises ValueError on what is no number.
    """
    if quantity is None:
        return None
    try:
        number = Decimal(str(quantity))
    except InvalidOperation:
        raise ValueError("not a number") from None
    return int(number) if number.is_finite() and number == number.to_integral_value() else None


Quantity = Annotated[int | None, BeforeValidator(whole)]
HOLD_NO_STOCK = ("grouped", "external")


class Identified(Row):
    id: int


class Setting(Row):
    value: str | bool | None = None


class Product(Row):
    id: int
    type: str
    manage_stock: ManageStock
    stock_quantity: Quantity = None
    status: str = "publish"
    sku: str | int | None = None
    name: str | None = None


class Variation(Row):
    """`parent_id` may be missing in a parent's own list, where the parent is known."""

    id: int
    manage_stock: ManageStock
    stock_quantity: Quantity = None
    parent_id: int | None = None
    status: str = "publish"
    sku: str | int | None = None
    name: str | None = None


class ItemError(Row):
    code: str
    message: str | None = None


class Outcome(Row):
    """One item of a batch's answer: an error, or the row as it is now."""

    id: int
    error: ItemError | None = None
    manage_stock: ManageStock | None = None
    stock_quantity: Quantity = None


IDENTIFIED = TypeAdapter(list[Identified])
SETTING = TypeAdapter(Setting)
PRODUCTS = TypeAdapter(list[Product])
VARIATIONS = TypeAdapter(list[Variation])
OUTCOME = TypeAdapter(Outcome)


def product_rows(products: Iterable[Product]) -> list[ShopItem]:
    """A row for every product; a variable one's row stands for the stock that its variations may share."""
    return [
        ShopItem(ItemRef(product.id), text(product.sku), product.name or "", tracking, shown)
        for product in products
        if present(product)
        for tracking, shown in [_product_stock(product)]
    ]


def variation_rows(variations: Iterable[Variation], parent_id: int | None = None) -> list[ShopItem]:
    """A row for every variation, with the SKU that it reports.

    A variation without a SKU reports its parent's: the caller compares the two and leaves such a row alone.
    parent_id: whose list it is; None = a flat list, in which each row must name its parent.
    """
    rows = []
    for variation in variations:
        parent = parent_id or variation.parent_id
        if not parent:
            raise BadAnswer("WooCommerce variations: a variation without parent_id", code="unexpected_shape")
        if variation.parent_id and variation.parent_id != parent:
            raise BadAnswer(
                "WooCommerce variations: variations of another product came back", code="unasked_row"
            )
        if variation.status == "trash":
            continue
        tracking = _variation_tracking(variation.manage_stock)
        shown = variation.stock_quantity if tracking is Tracking.VARIANT else None
        ref = ItemRef(parent, variation.id)
        rows.append(ShopItem(ref, text(variation.sku), variation.name or "", tracking, shown))
    return rows


def present(product: Product) -> bool:
    """Trashed products answer by id; variations are no products."""
    return product.status != "trash" and product.type != "variation"


def text(sku: str | int | None) -> str:
    return "" if sku is None else str(sku)


def _product_stock(product: Product) -> tuple[Tracking, int | None]:
    if product.manage_stock is True and product.type not in HOLD_NO_STOCK:
        return Tracking.PRODUCT, product.stock_quantity
    return Tracking.NONE, None


def _variation_tracking(manage_stock: ManageStock) -> Tracking:
    if manage_stock == "parent":
        return Tracking.PARENT
    return Tracking.VARIANT if manage_stock else Tracking.NONE
