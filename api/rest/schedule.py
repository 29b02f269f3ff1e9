"""`/api/v1/schedule`: what is due next, and what became of the last nights."""

from __future__ import annotations

from datetime import date
from typing import Literal

from flask_openapi3 import APIBlueprint
from pydantic import Field

from api.rest import routes
from api.rest.lists import Answer, Moment
from models import setting
from workers import timetable
from workers.timetable import SiteLine

Outcome = Literal["started", "too_soon", "missed"]


class NightAnswer(Answer):
    """One decided night."""

    local_date: date
    due_at: Moment
    decided_at: Moment
    outcome: Outcome = Field(
        description="`too_soon`: within 20 hours of the last, after a change of the settings. "
        "`missed`: nobody looked until it was later than `schedule_latest_minutes`."
    )


class ScheduleLine(Answer):
    """One schedule, at the time of the settings."""

    name: Literal["full_sync", "cleanup"]
    time: str
    next_due_at: Moment
    overdue_since: Moment | None = Field(
        description="Not null: a night has been due since then, and no scheduler or dispatcher has looked."
    )
    last: NightAnswer | None
    recent: list[NightAnswer] = Field(description="The last 14 decided nights, the newest first.")


class SiteLineAnswer(Answer):
    """An active site with a time of its own, or without nightly full syncs."""

    site_id: int
    name: str
    full_sync_enabled: bool
    full_sync_time: str | None
    next_due_at: Moment | None
    last: NightAnswer | None


class ScheduleAnswer(Answer):
    """The schedule as it stands now."""

    timezone: str
    schedule_latest_minutes: int
    schedules: list[ScheduleLine]
    sites: list[SiteLineAnswer]


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("schedule", "What is due next, and what became of the last nights.")
    routes.route(api, "GET", "", scope="read", answer=ScheduleAnswer)(get)
    return api


def get() -> ScheduleAnswer:
    """What is due next, and what became of the last nights.

    `sites` holds those that don't follow the common time. Times of day are in `timezone`, and change with the
    settings and with each site's `full_sync_time` and `full_sync_enabled`.
    """
    settings = setting.read_all()
    return ScheduleAnswer(
        timezone=settings["timezone"],
        schedule_latest_minutes=settings["schedule_latest_minutes"],
        schedules=[ScheduleLine.model_validate(line) for line in timetable.schedules()],
        sites=[_site(line) for line in timetable.own_sites()],
    )


def _site(line: SiteLine) -> SiteLineAnswer:
    return SiteLineAnswer(
        site_id=line.site_id,
        name=line.name,
        full_sync_enabled=line.enabled,
        full_sync_time=line.time,
        next_due_at=line.next_due_at,
        last=None if line.last is None else NightAnswer.model_validate(line.last),
    )
