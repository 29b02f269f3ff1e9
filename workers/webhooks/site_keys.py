"""What a receiver must know of a site to judge a delivery, kept for a moment: a burst asks PostgreSQL once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from models.crypto import decrypt
from models.database import row

KEPT_SECONDS = 2.0  # a rotated secret or a paused site counts after this
MOST_KEPT = 10_000  # sites, unknown ones too: a scan of ids can't fill the memory


@dataclass(frozen=True, slots=True)
class SiteKeys:
    """A site's identity and its proofs. Never logged.

    secrets: valid now, the newest first; the previous one is there during a rotation.
    clock_offset: seconds to add to this machine's clock to have PostgreSQL's.
    """

    site_id: int
    platform: str
    active: bool
    store_hash: str | None
    proofs: tuple[str, ...]
    secrets: tuple[str, ...] = field(repr=False)
    header_value: str | None = field(repr=False)
    clock_offset: float = 0.0

    def now(self) -> float:
        """Seconds since 1970 by PostgreSQL's clock."""
        return time.time() + self.clock_offset


class Keyring:
    """The sites that this process has heard of lately."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[float, SiteKeys | None]] = {}
        self._lock = threading.Lock()

    def find(self, site_id: int) -> SiteKeys | None:
        """A site's keys; None = there is no such site. Raises DatabaseUnavailable, UndecryptableError."""
        kept = self._kept.get(site_id)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        found = _load(site_id)
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[site_id] = (time.monotonic() + KEPT_SECONDS, found)
        return found

    def forget(self, site_id: int) -> None:
        """Look a site up anew the next time."""
        with self._lock:
            self._kept.pop(site_id, None)


def _load(site_id: int) -> SiteKeys | None:
    found = row(
        """
        SELECT platform, active, store_hash, webhook_proofs, webhook_header_value, webhook_secret,
               CASE WHEN webhook_secret_previous_until > now() THEN webhook_secret_previous END,
               extract(epoch FROM clock_timestamp())::double precision
        FROM rm_sites WHERE id = %s AND leaving_at IS NULL
        """,
        (site_id,),
    )
    if found is None:
        return None
    platform, active, store_hash, proofs, header_value, secret, previous, moment = found
    return SiteKeys(
        site_id=site_id,
        platform=platform,
        active=active,
        store_hash=store_hash,
        proofs=tuple(proofs),
        # An empty secret would prove whatever anybody sends.
        secrets=tuple(filter(None, (decrypt(token) for token in (secret, previous) if token is not None))),
        header_value=None if header_value is None else decrypt(header_value),
        clock_offset=moment - time.time(),
    )
