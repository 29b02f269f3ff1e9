"""Sites whose deliveries were turned away while PostgreSQL was gone: synced once it is back.

WooCommerce never sends again what got a 503. Redis remembers beside this process, in case that dies first.
"""

from __future__ import annotations

import contextlib
import threading

import structlog

from workers.full_sync.requests import InactiveSite, UnknownSite, request_sync
from workers.jobs import Priority
from workers.redis_client import RedisAwayError, attempt

log = structlog.get_logger()

KEY = "inventory-sync:webhooks:catch-up"
MOST_OWED = 10_000  # sites; ids come from whoever calls


class Debts:
    """The sites that this process turned away."""

    def __init__(self) -> None:
        self._sites: set[int] = set()
        self._lock = threading.Lock()

    def owe(self, site_id: int) -> None:
        """Remember a site."""
        with self._lock:
            if site_id in self._sites or len(self._sites) >= MOST_OWED:
                return
            self._sites.add(site_id)
        _remember(site_id)

    def settle(self) -> int:
        """Ask for the syncs; gives how many. Raises DatabaseUnavailable: the rest stays owed."""
        with self._lock:
            sites = sorted(self._sites)
        for site_id in sites:
            self._settle(site_id)
        return len(sites)

    def _settle(self, site_id: int) -> None:
        # No longer owed before the sync is asked for: what is turned away from here on is owed anew.
        with self._lock:
            self._sites.discard(site_id)
        try:
            _ask(site_id)
        except BaseException:
            with self._lock:
                self._sites.add(site_id)
            raise
        _forget(site_id)
        with self._lock:
            again = site_id in self._sites
        if again:
            _remember(site_id)


def settle_of_the_dead() -> int:
    """Ask for what receivers owed that are no more; gives how many. The dispatcher's part."""
    try:
        found = [int(member) for member in attempt(lambda redis: redis.smembers(KEY))]
    except (RedisAwayError, ValueError):
        return 0
    for site_id in found:
        _ask(site_id)
        _forget(site_id)
    return len(found)


def _remember(site_id: int) -> None:
    with contextlib.suppress(RedisAwayError):
        attempt(lambda redis: redis.sadd(KEY, site_id))


def _forget(site_id: int) -> None:
    with contextlib.suppress(RedisAwayError):
        attempt(lambda redis: redis.srem(KEY, site_id))


def _ask(site_id: int) -> None:
    try:
        request_sync(
            site_id,
            requested_by="webhooks that were turned away without PostgreSQL",
            priority=Priority.NIGHT,
            shop_changed=True,
        )
    except (UnknownSite, InactiveSite):
        return
    log.info("a sync makes up for deliveries that were turned away", action="catch_up", site_id=site_id)
