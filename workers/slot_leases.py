"""Keeps this process's places in a limit alive while their calls are under way.

A lease is short, so that a killed worker's places are free again within seconds, and a thread renews it, so
that a long call keeps its place. Renewing also writes places back that a FLUSHALL took.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

from workers.limit_scripts import RENEW
from workers.redis_client import RedisAwayError, attempt, run_script

LEASE_MS = 12_000  # a killed worker blocks its places for so long
RENEW_SECONDS = 2.0  # five renewals may be missed


class SlotLeases:
    """The places that this process holds: owner -> the key of the sorted set that it stands in."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def hold(self, owner: str, key: str) -> None:
        """Renew this place from now on."""
        with self._lock:
            self._held[owner] = key
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_for_ever, name="slot-leases", daemon=True)
                self._thread.start()

    def release(self, owner: str) -> None:
        """Give the place back. Where Redis is away, it lapses by itself."""
        with self._lock:
            key = self._held.pop(owner, None)
        if key is not None:
            self._remove(key, owner)

    def renew(self) -> None:
        """Renew all places once."""
        with self._lock:
            held = dict(self._held)
        by_key: defaultdict[str, list[str]] = defaultdict(list)
        for owner, key in held.items():
            by_key[key].append(owner)
        for key, owners in by_key.items():
            with suppress(RedisAwayError):
                run_script(RENEW, [key], [LEASE_MS, *owners])
            for owner in owners:
                if owner not in self._held:  # given back meanwhile, and just now written again
                    self._remove(key, owner)

    def _renew_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(RENEW_SECONDS):
            self.renew()
            for renew in also_renewed:
                with suppress(Exception):  # whatever becomes of it, the places are renewed again
                    renew()

    @staticmethod
    def _remove(key: str, owner: str) -> None:
        with suppress(RedisAwayError):
            attempt(lambda redis_client: redis_client.zrem(key, owner))


leases = SlotLeases()
also_renewed: list[Callable[[], None]] = []
"""What else is done at every renewal, by whom places are taken."""


def _forget_after_fork() -> None:
    """A child has neither its parent's calls nor its thread."""
    leases.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_forget_after_fork)
