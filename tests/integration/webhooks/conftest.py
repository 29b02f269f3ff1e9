"""The same small world as the sync's tests: an empty company, an empty shop of each platform."""

from __future__ import annotations

from tests.integration.sync.conftest import bc, owner, shop, simulators, store, supply, woo

__all__ = ["bc", "owner", "shop", "simulators", "store", "supply", "woo"]
