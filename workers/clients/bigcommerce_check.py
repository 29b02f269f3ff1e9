"""Does this BigCommerce site work? Every call that a sync will make, tried once, each with one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workers.clients import bigcommerce_listing as listing
from workers.clients import bigcommerce_stock as stock
from workers.clients.bigcommerce_api import BigCommerceApi, BigCommerceConnection
from workers.clients.bigcommerce_rows import CHANNELS, INVENTORY, STORE, Channel
from workers.clients.checks import attempt, fields
from workers.clients.shop import CheckResult
from workers.clients.typed import parse
from workers.errors import ConfigurationError, ScopeMissing

CHANNELS_PAGE = 250
_field_of = fields(address="api_url", credentials="access_token", not_found="store_hash")


def channels(api: BigCommerceApi) -> list[Channel]:
    return api.all_rows("v3/channels", CHANNELS, {"limit": CHANNELS_PAGE})


def check(api: BigCommerceApi, connection: BigCommerceConnection) -> list[CheckResult]:
    """All lines; only the first where the store can't be entered at all."""
    entered = attempt("token", lambda: _enter(api), _field_of)
    if not entered.ok:
        if entered.field == "access_token":
            words = f"{entered.message}; is this token of the store with this store_hash?"
            entered = replace(entered, message=words)
        return [entered]
    steps: list[tuple[str, Callable[[], str]]] = [
        ("store", lambda: _store(api, connection)),
        ("location", lambda: _location(api, connection)),
        ("channels", lambda: _channels(api, connection)),
        ("products", lambda: _products(api, connection)),
        ("inventory", lambda: _inventory(api)),
    ]
    return [entered, *(attempt(name, act, _field_of) for name, act in steps)]


def _enter(api: BigCommerceApi) -> str:
    """`/v2/time` is the cheapest call that needs a token."""
    api.request("GET", "v2/time", route="time").json()
    return "the access token is accepted"


def _store(api: BigCommerceApi, connection: BigCommerceConnection) -> str:
    """Nothing else needs this scope, so its absence is no fault."""
    try:
        answer = api.request("GET", "v2/store", route="store")
    except ScopeMissing as error:
        return f"not looked at: {error}; a sync works without it"
    store = parse(STORE, answer.json(), "BigCommerce store")
    if store.id != connection.store_hash:
        raise ConfigurationError("store_hash", f"this token is of the store {store.id}")
    return f"the store is {store.name or store.id}"


def _location(api: BigCommerceApi, connection: BigCommerceConnection) -> str:
    location = stock.choose(stock.locations(api), connection.location_id)
    return f"stock is written at location {location.id} ({location.label or '-'})"


def _channels(api: BigCommerceApi, connection: BigCommerceConnection) -> str:
    """Without channels set nothing is asked: the scope for channels isn't needed then."""
    if not connection.channel_ids:
        return "all products of the store, whatever their channel"
    names = {channel.id: channel.name or "-" for channel in channels(api)}
    unknown = [number for number in connection.channel_ids if number not in names]
    if unknown:
        choice = ", ".join(f"{number} ({name})" for number, name in names.items())
        words = f"no channel {', '.join(map(str, unknown))} in this store; choose from {choice}"
        raise ConfigurationError("channel_ids", words)
    return ", ".join(f"{number} ({names[number]})" for number in connection.channel_ids)


def _products(api: BigCommerceApi, connection: BigCommerceConnection) -> str:
    return f"{listing.count(api, connection.channel_ids)} products are readable"


def _inventory(api: BigCommerceApi) -> str:
    """Reading is tried; that the scope allows writes too shows at the first write only."""
    api.page("v3/inventory/items", INVENTORY, {"limit": 1})
    return "the inventory is readable; store_inventory must be granted for changes too"
