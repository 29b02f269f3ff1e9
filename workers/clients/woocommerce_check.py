"""Does this WooCommerce site work? Every call that a sync will make, tried once, each with one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workers.clients import woocommerce_listing as listing
from workers.clients.checks import attempt, fields
from workers.clients.shop import CheckResult
from workers.clients.typed import parse
from workers.clients.woocommerce_api import BAD_SECRET, UNKNOWN_KEY, WooCommerceApi, WooCommerceConnection
from workers.clients.woocommerce_rows import SETTING
from workers.errors import AuthenticationRefused, InventorySyncError, PermanentFailure

SETTING_PATH = "settings/products/woocommerce_manage_stock"
STOCK_IS_OFF = (
    "stock management is switched off in the shop, which ignores every write of stock then: "
    "switch it on in WooCommerce > Settings > Products > Inventory"
)
STRIPPED = (
    "the host strips the Authorization header, so the keys go in the address, "
    "which the shop's access log keeps"
)

_by_kind = fields(address="url", credentials="consumer_key", not_found="url")


def demand_stock_management(api: WooCommerceApi) -> str:
    """Raises PermanentFailure where the shop would silently ignore what is written."""
    answer = api.request("GET", SETTING_PATH, route="settings")
    setting = parse(SETTING, answer.json(), "WooCommerce settings")
    if setting.value not in ("yes", True):
        raise PermanentFailure(STOCK_IS_OFF)
    return "stock management is on"


def check(connection: WooCommerceConnection, enter: Callable[[], WooCommerceApi]) -> list[CheckResult]:
    """All lines; only the first where the shop can't be entered at all.

    enter: proves the keys and gives the API to go on with, in the way of sending keys that works.
    """
    entered: list[WooCommerceApi] = []

    def key() -> str:
        entered.append(enter())
        return _how(connection, entered[0])

    first = attempt("key", key, _field_of)
    if not entered:
        return [replace(first, message=_advice(connection, first))]
    api = entered[0]
    return [
        first,
        attempt("stock_management", lambda: demand_stock_management(api), _field_of),
        attempt("products", lambda: f"{listing.count(api)} products are readable", _field_of),
        attempt("variations", lambda: _variations(api), _field_of),
        _writes(api),
    ]


def _how(connection: WooCommerceConnection, api: WooCommerceApi) -> str:
    if not connection.secure:
        return "the keys are accepted (signed, since the address is plain http; stock travels unencrypted)"
    return f"the keys are accepted ({STRIPPED})" if api.mode == "query" else "the keys are accepted"


def _variations(api: WooCommerceApi) -> str:
    flat = listing.count_flat_variations(api)
    if flat is None:
        return "this WooCommerce has no list of all variations (since 10.3): they are read product by product"
    return f"{flat} variations are readable"


def _writes(api: WooCommerceApi) -> CheckResult:
    """A batch for product 0, which no shop has, changes nothing; but a read-only key is refused."""

    def nothing() -> str:
        body = {"update": [{"id": 0}]}
        api.request("POST", "products/batch", route="products/batch", json=body, writes=True).json()
        return "the key may write"

    result = attempt("writes", nothing, lambda _: "consumer_key")
    if result.ok:
        return result
    return replace(result, message=f"{result.message}: give the key Read/Write permission")


def _field_of(error: InventorySyncError) -> str | None:
    if isinstance(error, AuthenticationRefused):
        return {None: "url", BAD_SECRET: "consumer_secret"}.get(error.code, "consumer_key")
    return _by_kind(error)


def _advice(connection: WooCommerceConnection, line: CheckResult) -> str:
    if line.field == "consumer_secret" and not connection.secure:
        return f"{line.message}; if the secret is right: the address must be the shop's own, letter by letter"
    if line.field == "consumer_key" and UNKNOWN_KEY in line.message and connection.secure:
        return f"{line.message}; sent in the address instead of a header, the keys are refused too"
    return line.message
