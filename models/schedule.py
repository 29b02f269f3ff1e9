"""rm_schedules and rm_schedule_log: when each schedule is due, and which of its days have been decided."""

from __future__ import annotations

from datetime import date, datetime

from peewee import CompositeKey, DateField, TextField

from models.database import Table
from models.fields import now_field, time_field


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
    """One decided day. outcome: started, or too_soon (within 20 h of the last, after a change of the setting)."""

    schedule = TextField()
    local_date: date = DateField()  # type: ignore[assignment]
    due_at: datetime = time_field()
    decided_at: datetime = now_field()
    outcome = TextField()

    class Meta:
        table_name = "rm_schedule_log"
        primary_key = CompositeKey("schedule", "local_date")
