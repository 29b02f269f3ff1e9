"""What a BigCommerce store has to choose from when a site is set up: its channels and its locations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.site import BIGCOMMERCE, Site
from workers.clients.bigcommerce import BigCommerceClient
from workers.connections import shop_client
from workers.errors import Conflict


@dataclass(frozen=True, slots=True)
class Choice:
    """One that can be chosen. enabled: a location that is disabled can't be written to."""

    id: int
    name: str | None
    enabled: bool = True


def channels(site: Site) -> list[Choice]:
    """The store's channels. Raises Conflict for a shop without any, and what the store's API raises."""
    return _asked(site, lambda client: [Choice(found.id, found.name) for found in client.channels()])


def locations(site: Site) -> list[Choice]:
    """The store's locations. Raises like `channels`."""
    return _asked(
        site, lambda client: [Choice(found.id, found.label, found.enabled) for found in client.locations()]
    )


def _asked(site: Site, ask: Callable[[BigCommerceClient], list[Choice]]) -> list[Choice]:
    if site.platform != BIGCOMMERCE:
        raise Conflict("not_bigcommerce", "only BigCommerce stores have channels and locations")
    client = shop_client(site)
    assert isinstance(client, BigCommerceClient)
    try:
        return ask(client)
    finally:
        client.close()
