"""Local nights in a test's own time: moments, settings as of a moment, sites that were always there, outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from models import setting
from models.company import Company
from models.database import execute, rows, session
from models.site import Site
from workers import occasions

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def local(zone: str, text: str, *, fold: int = 0) -> datetime:
    """A moment, from what a clock on the wall shows: `2026-03-29 02:40`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def utc(text: str) -> datetime:
    """A moment in UTC."""
    return local("UTC", text)


def change(at: datetime, **values: Any) -> None:
    """Change settings, as if at that moment."""
    for key, value in values.items():
        setting.change(key, value)
        execute("UPDATE rm_settings SET updated_at = %s WHERE key = %s", (at, key))


def site(owner: Company, name: str, since: datetime = LONG_AGO, **fields: Any) -> int:
    """An active shop that nobody calls; gives its id."""
    with session():
        made = Site.create(
            **{
                "name": name,
                "platform": "woocommerce",
                "company": owner.id,
                "store_key": f"woocommerce:{name}.example",
                "url": f"https://{name}.example",
                "full_sync_since": since,
                **fields,
            }
        )
        return int(made.id)


def start_anew() -> None:
    """As if nobody had ever looked: for the next of several nights on one database."""
    end_runs()
    for table in ("rm_schedules", "rm_schedule_log", "rm_site_schedule_log", "rm_settings", "rm_queue"):
        execute(f"DELETE FROM {table}")


def check_at(moments: Iterable[datetime]) -> dict[str, list[datetime]]:
    """Look at each of these moments; name -> when it was begun."""
    begun: dict[str, list[datetime]] = {}
    for moment in moments:
        for name in occasions.check(moment):
            begun.setdefault(name, []).append(moment)
    return begun


def outcomes(schedule: str = "full_sync") -> dict[str, str]:
    """local date -> outcome."""
    return dict(
        rows(
            "SELECT local_date::text, outcome FROM rm_schedule_log WHERE schedule = %s ORDER BY local_date",
            (schedule,),
        )
    )


def site_outcomes(site_id: int) -> dict[str, str]:
    """local date -> outcome, of one site."""
    return dict(
        rows(
            "SELECT local_date::text, outcome FROM rm_site_schedule_log WHERE site_id = %s ORDER BY local_date",
            (site_id,),
        )
    )


def end_runs() -> list[int]:
    """End all open runs, as workers would during the night; gives their sites."""
    found = rows("SELECT site_id FROM rm_sync_runs WHERE status IN ('queued', 'running') ORDER BY site_id")
    execute("UPDATE rm_sync_runs SET status = 'completed', finished_at = now()")
    execute("UPDATE rm_queue SET status = 'completed', finished_at = now()")
    execute("UPDATE rm_stock_refreshes SET status = 'completed', finished_at = now()")
    return [site_id for (site_id,) in found]
