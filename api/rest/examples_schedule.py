"""An example of the schedule, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

_WHEN = "2026-03-19T02:15:23.000Z"
_NIGHT = {"local_date": "2026-03-19", "due_at": _WHEN, "decided_at": _WHEN, "outcome": "started"}
_LINE = {"next_due_at": _WHEN, "last": _NIGHT}
SCHEDULE: dict[str, Any] = {
    "timezone": "Europe/Paris",
    "schedule_latest_minutes": 240,
    "schedules": [{"name": "full_sync", "time": "02:00", **_LINE, "overdue_since": None, "recent": [_NIGHT]}],
    "sites": [
        {"site_id": 5, "name": "Contoso US", "full_sync_enabled": True, "full_sync_time": "04:30", **_LINE}
    ],
}
