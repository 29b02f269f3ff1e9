"""rm_schedules and the two logs: when each schedule is due, and which of its days have been decided."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from peewee import CompositeKey, DateField, ForeignKeyField, TextField

from models.database import Table
from models.fields import now_field, time_field
from models.site import Site


class Schedule(Table):
    """One schedule as last seen. `since`: occasions before it don't count (first start, a changed setting)."""

    name = TextField(primary_key=True)
    zone = TextField()
    time = TextField()
    since: datetime = now_field()
    last_due_at: datetime | None = time_field(null=True)

    class Meta:
        table_name = "rm_schedules"


class ScheduleLog(Table):
    """One decided day.

    outcome: started; too_soon (within 20 h of the last, after a change of the setting); missed (nobody looked
    until it was later than `schedule_latest_minutes`).
    """

    schedule = TextField()
    local_date: date = DateField()  # type: ignore[assignment]
    due_at: datetime = time_field()
    decided_at: datetime = now_field()
    outcome = TextField()

    class Meta:
        table_name = "rm_schedule_log"
        primary_key = CompositeKey("schedule", "local_date")


class SiteScheduleLog(Table):
    """One decided day of one site's full sync, be it at the common time or at the site's own.

    A night that was missed or too soon for all sites stands in ScheduleLog alone.
    """

    site = ForeignKeyField(Site, column_name="site_id", on_delete="CASCADE")
    local_date: date = DateField()  # type: ignore[assignment]
    due_at: datetime = time_field()
    decided_at: datetime = now_field()
    outcome = TextField()

    if TYPE_CHECKING:
        site_id: int

    class Meta:
        table_name = "rm_site_schedule_log"
        primary_key = CompositeKey("site", "local_date")
