"""The composition root: rows of companies and sites become clients, with limits, kept alive."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from models.company import Company
from models.crypto import Secret
from models.database import session
from models.site import BIGCOMMERCE, DEFAULT_BIGCOMMERCE_API_URL, Site
from workers import breaker, limits
from workers.clients.bigcommerce import BigCommerceClient, BigCommerceConnection
from workers.clients.business_central import BusinessCentral, CompanyConnection
from workers.clients.shop import ShopClient
from workers.clients.woocommerce import WooCommerceClient, WooCommerceConnection
from workers.errors import ConfigurationError
from workers.jobs import Work

KEPT_A_THREAD = 8
"""Clients whose connections a thread keeps alive: a TLS handshake for every page would cost too much."""


def business_central(company: Company) -> BusinessCentral:
    """A client of a company. Raises ConfigurationError or UndecryptableError."""
    connection = CompanyConnection(
        id=company.id,
        tenant_id=company.tenant_id,
        environment=company.environment,
        company_id=company.company_id,
        client_id=company.client_id,
        client_secret=_revealed(company.client_secret, "client_secret"),
        api_url=company.api_url,
        token_url=company.token_url,
    )
    return BusinessCentral(
        connection, gate=limits.business_central_gate(company.token_url, company.client_id)
    )


def shop_client(site: Site) -> ShopClient:
    """A client of a site's shop. Raises ConfigurationError or UndecryptableError."""
    if site.platform == BIGCOMMERCE:
        api_url = site.api_url or DEFAULT_BIGCOMMERCE_API_URL
        return BigCommerceClient(
            BigCommerceConnection(
                site_id=site.id,
                store_hash=site.store_hash or "",
                access_token=_revealed(site.access_token, "access_token"),
                api_url=api_url,
                channel_ids=tuple(site.channel_ids),
                location_id=site.location_id,
                details=site.details,
            ),
            limits.bigcommerce_gate(api_url, site.store_hash or ""),
        )
    return WooCommerceClient(
        WooCommerceConnection(
            site_id=site.id,
            url=site.url or "",
            consumer_key=_revealed(site.consumer_key, "consumer_key"),
            consumer_secret=_revealed(site.consumer_secret, "consumer_secret"),
            details=site.details,
        ),
        limits.woocommerce_gate(site.url or ""),
    )


def _revealed(secret: Secret | None, field: str) -> str:
    if secret is None:
        raise ConfigurationError(field, "is not set")
    return secret.reveal()


AnyClient = BusinessCentral | ShopClient


class _Kept(threading.local):
    """This thread's open clients, least recently used first."""

    def __init__(self) -> None:
        self.clients: OrderedDict[tuple[Any, ...], AnyClient] = OrderedDict()

    def put(self, key: tuple[Any, ...], client: AnyClient) -> None:
        self.clients[key] = client
        while len(self.clients) > KEPT_A_THREAD:
            _, oldest = self.clients.popitem(last=False)
            oldest.close()


_kept = _Kept()


@contextmanager
def company_client(company_id: int, work: Work) -> Iterator[BusinessCentral]:
    """The client of a company for one job; the calls it makes are counted in `work`."""
    with session():
        company = Company.get_by_id(company_id)
    key = ("company", company.id, company.updated_at)
    kept = _kept.clients.pop(key, None)
    client = kept if isinstance(kept, BusinessCentral) else business_central(company)
    # A site's job that asks BC: where BC is down, the shop's breaker must stay closed.
    own = work.claim.site_id is None
    with (
        nullcontext() if own else breaker.watching(breaker.company_scope(company_id)),
        _counting(client, key, work),
    ):
        yield client


@contextmanager
def site_client(site: Site, work: Work) -> Iterator[ShopClient]:
    """The client of a site's shop for one job; the calls it makes are counted in `work`."""
    key = ("site", site.id, site.updated_at, json.dumps(site.details, sort_keys=True))
    kept = _kept.clients.pop(key, None)
    client = shop_client(site) if kept is None or isinstance(kept, BusinessCentral) else kept
    with _counting(client, key, work):
        yield client


@contextmanager
def _counting(client: AnyClient, key: tuple[Any, ...], work: Work) -> Iterator[None]:
    before = client.calls.total()
    try:
        yield
    finally:
        work.calls += client.calls.total() - before
        _kept.put(key, client)
