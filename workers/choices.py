"""What a BigCommerce store has to choose from when a site is set up: its channels and its locations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.crypto import Secret, encrypt
from models.site import BIGCOMMERCE, DEFAULT_BIGCOMMERCE_API_URL, Site
from workers.clients.bigcommerce import BigCommerceClient
from workers.connections import shop_client
from workers.errors import Conflict, FieldError, InvalidFields
from workers.forms import collect_url
from workers.site_forms import SiteChange


@dataclass(frozen=True, slots=True)
class Choice:
    """One that can be chosen. enabled: a location that is disabled can't be written to."""

    id: int
    name: str | None
    enabled: bool = True


def draft(form: SiteChange, stored: Site | None = None) -> Site:
    """A BigCommerce site as somebody is typing it, to ask its store with; it is not stored.

    stored: the site that is being changed, whose credentials count where none were typed. Raises InvalidFields.
    """
    given = form.given()
    url = given.get("api_url") or (stored.api_url if stored else None) or DEFAULT_BIGCOMMERCE_API_URL
    store_hash = given.get("store_hash") or (stored.store_hash if stored else None)
    typed = given.get("access_token")
    token = Secret(encrypt(typed)) if typed else stored.access_token if stored else None
    errors = [
        FieldError(name, "is needed to ask the store")
        for name, value in (("store_hash", store_hash), ("access_token", token))
        if value is None
    ]
    collect_url(url, "api_url", errors)
    if errors:
        raise InvalidFields(errors)
    site = Site(id=stored.id if stored else 0, platform=BIGCOMMERCE, store_hash=store_hash, api_url=url)
    site.access_token = token
    return site


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
