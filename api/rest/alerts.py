"""`/api/v1/alerts`: what is wrong, what was, and whether those who should know hear of it."""

from __future__ import annotations

from typing import Annotated, Any

from flask_openapi3 import APIBlueprint
from pydantic import Field

from api.auth import requested_by
from api.rest import lists, routes
from api.rest.lists import Answer, ListQuery, Moment, Page, SiteFilter, Text, one_of
from models.alert import ALERT_STATES, Alert
from models.database import session
from workers.alerts import channels
from workers.alerts.conditions import KINDS


class AlertQuery(ListQuery):
    """Which alerts."""

    state: Annotated[Text, one_of(*ALERT_STATES)] | None = Field(
        default=None, description=", ".join(ALERT_STATES)
    )
    site: SiteFilter = None


class AlertAnswer(Answer):
    """One thing that is, or was, wrong."""

    id: int
    kind: str = Field(description=", ".join(KINDS))
    subject: str = Field(description="What it is about: site:5, company:2, queue:sync or schedule:full_sync.")
    site_id: int | None
    state: str
    change: int = Field(description="1 as it opens; each change is one message by each channel.")
    sentence: str
    details: dict[str, Any]
    opened_at: Moment
    changed_at: Moment
    resolved_at: Moment | None
    webhook_change: int | None = Field(description="The last change that the webhook took.")
    webhook_sent_at: Moment | None
    email_change: int | None = Field(description="The last change that the mail server took.")
    email_sent_at: Moment | None


class AlertList(Page):
    """Alerts, newest first."""

    items: list[AlertAnswer]


class ChannelTrial(Answer):
    """What became of the test message by one channel."""

    channel: str = Field(description="webhook or email.")
    ok: bool
    message: str


class AlertTest(Answer):
    """What became of the test messages. ok: every channel took its one."""

    ok: bool
    channels: list[ChannelTrial]


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("alerts", "What a person should know of.")
    routes.route(api, "GET", "", scope="read", answer=AlertList)(list_alerts)
    routes.route(api, "POST", "/test", scope="admin", answer=AlertTest, errors=[409])(test)
    return api


def list_alerts(query: AlertQuery) -> AlertList:
    """List the alerts, newest first."""
    after = lists.decode(query.cursor, "alerts", [int])
    chosen = Alert.select().order_by(Alert.id.desc()).limit(query.limit + 1)
    if query.state is not None:
        chosen = chosen.where(Alert.state == query.state)
    if query.site is not None:
        chosen = chosen.where(Alert.site == query.site)
    if after:
        chosen = chosen.where(Alert.id < after[0])
    with session():
        found, following = lists.page("alerts", list(chosen), query.limit, lambda alert: [alert.id])
    return AlertList(items=[AlertAnswer.model_validate(alert) for alert in found], next=following)


def test() -> AlertTest:
    """Send a test by every channel that is set up.

    It is sent at once, not through the queue, and the answer says what each channel made of it.
    """
    trials = channels.test(requested_by=requested_by())
    return AlertTest(
        ok=all(trial.ok for trial in trials),
        channels=[ChannelTrial.model_validate(trial) for trial in trials],
    )
