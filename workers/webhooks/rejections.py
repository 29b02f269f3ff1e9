"""Rejected deliveries: the first hundred of a site and hour are stored, a flood beyond them only counted."""

from __future__ import annotations

import threading

from models.database import execute
from workers.webhooks import intake
from workers.webhooks.intake import Delivery
from workers.webhooks.proofs import Verdict
from workers.webhooks.site_keys import SiteKeys

MOST_COUNTED = 10_000  # sites whose floods are counted in memory between two writes

_COUNT = """
    INSERT INTO rm_webhook_rejections AS r (site_id, hour, number)
    SELECT site_id, date_trunc('hour', now()), number
    FROM unnest(%s::integer[], %s::bigint[]) AS flood (site_id, number)
    WHERE EXISTS (SELECT FROM rm_sites s WHERE s.id = flood.site_id) ORDER BY site_id
    ON CONFLICT (site_id, hour) DO UPDATE SET number = r.number + excluded.number
"""


class Rejections:
    """This process's part: once a site's hour is full, a forgery costs no statement."""

    def __init__(self) -> None:
        self._full: dict[int, int] = {}  # site -> the hour that is full
        self._uncounted: dict[int, int] = {}
        self._lock = threading.Lock()

    def add(
        self, keys: SiteKeys, event_type: str | None, verdict: Verdict, delivery: Delivery, why: str
    ) -> None:
        """Store one, or count it. Raises DatabaseUnavailable."""
        hour = int(keys.now() // 3600)
        if self._full.get(keys.site_id) == hour:
            with self._lock:
                if len(self._uncounted) < MOST_COUNTED:
                    self._uncounted[keys.site_id] = self._uncounted.get(keys.site_id, 0) + 1
            return
        stored, _ = intake.refuse(keys, event_type, verdict, delivery, why)
        if stored is None:
            self._full[keys.site_id] = hour

    def flush(self) -> int:
        """Write what was only counted; gives how many. Raises DatabaseUnavailable: it stays counted."""
        with self._lock:
            counted, self._uncounted = self._uncounted, {}
        if not counted:
            return 0
        try:
            execute(_COUNT, (list(counted), list(counted.values())))
        except Exception:
            with self._lock:
                for site_id, number in counted.items():
                    self._uncounted[site_id] = self._uncounted.get(site_id, 0) + number
            raise
        return sum(counted.values())
