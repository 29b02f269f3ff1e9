"""`/api/v1/webhook-log`: every delivery that a shop sent, and what became of it."""

from __future__ import annotations

from typing import Annotated

from flask_openapi3 import APIBlueprint
from pydantic import Field

from api.rest import lists, routes
from api.rest.lists import Answer, ListQuery, Moment, Page, SiteFilter, Text, one_of
from models.database import session
from models.webhook_log import WebhookLog

STATUSES = ("received", "completed", "failed", "rejected", "ignored", "duplicate")


class DeliveryQuery(ListQuery):
    """Which deliveries."""

    site: SiteFilter = None
    status: Annotated[Text, one_of(*STATUSES)] | None = Field(default=None, description=", ".join(STATUSES))
    event_type: Text | None = Field(default=None, description="As the shop calls it.")


class Delivery(Answer):
    """One delivery. `attempts` counts how often it was processed."""

    id: int
    site_id: int | None
    event_type: str | None
    status: str
    error_message: str | None
    received_at: Moment
    attempts: int


class DeliveryList(Page):
    """Deliveries, newest first."""

    items: list[Delivery]


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("webhook-log", "Every delivery that a shop sent.")
    routes.route(api, "GET", "", scope="read", answer=DeliveryList)(list_deliveries)
    return api


def list_deliveries(query: DeliveryQuery) -> DeliveryList:
    """List the deliveries, newest first."""
    after = lists.decode(query.cursor, "webhook-log", [int])
    chosen = WebhookLog.select().order_by(WebhookLog.id.desc()).limit(query.limit + 1)
    for column, value in (
        (WebhookLog.site, query.site),
        (WebhookLog.status, query.status),
        (WebhookLog.event_type, query.event_type),
    ):
        if value is not None:
            chosen = chosen.where(column == value)
    if after:
        chosen = chosen.where(WebhookLog.id < after[0])
    with session():
        found, following = lists.page("webhook-log", list(chosen), query.limit, lambda entry: [entry.id])
    return DeliveryList(items=[Delivery.model_validate(entry) for entry in found], next=following)
