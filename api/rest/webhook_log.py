"""`/api/v1/webhook-log`: every delivery that a shop sent, what became of it, and doing one again."""

from __future__ import annotations

from typing import Annotated

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from api.rest import lists, routes
from api.rest.lists import Answer, ListQuery, Moment, Page, SiteFilter, Text, one_of
from models.database import session
from models.webhook_log import DELIVERY_STATUSES, WebhookLog
from workers.forms import LARGEST_BIGINT
from workers.forms import Moment as GivenMoment
from workers.webhooks import deliveries


class DeliveryPath(BaseModel):
    """Which delivery."""

    delivery_id: int


class DeliveryQuery(ListQuery):
    """Which deliveries."""

    site: SiteFilter = None
    status: Annotated[Text, one_of(*DELIVERY_STATUSES)] | None = Field(
        default=None, description=", ".join(DELIVERY_STATUSES)
    )
    event_type: Text | None = Field(default=None, description="As the shop calls it.")
    product_id: int | None = Field(default=None, ge=1, le=LARGEST_BIGINT, description="The shop's own id.")
    since: GivenMoment | None = Field(default=None, description="Received then or later.")


class Delivery(Answer):
    """One delivery. `attempts` counts how often it was processed."""

    id: int
    site_id: int | None
    event_type: str | None
    status: str
    error_message: str | None
    received_at: Moment
    attempts: int
    verdict: str | None = Field(description="What its proofs said: verified, late, forged, unsigned, ...")
    resource: str | None = Field(description="What it is about.")
    product_id: int | None = Field(description="The product that is read again.")
    job_id: int | None
    processed_at: Moment | None


class Attempt(Answer):
    """One attempt to process it."""

    at: str
    outcome: str = Field(description="completed, failed or ignored.")
    error: str | None
    job_id: int | None


class DeliveryDetail(Delivery):
    """A delivery whole. Secrets in headers are masked; the body of a rejected one is cut."""

    request_id: str | None
    delivery_key: str | None = Field(description="Equal where the shop says it is the same delivery.")
    headers: dict[str, str]
    body: str | None
    body_bytes: int | None
    history: list[Attempt]


class DeliveryList(Page):
    """Deliveries, newest first."""

    items: list[Delivery]


class ReplayedDelivery(Answer):
    """The job that does it."""

    job_id: int


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("webhook-log", "Every delivery that a shop sent.")
    one = routes.row_path("delivery_id", big=True)
    routes.route(api, "GET", "", scope="read", answer=DeliveryList)(list_deliveries)
    routes.route(api, "GET", one, scope="read", answer=DeliveryDetail)(get)
    routes.route(
        api, "POST", f"{one}/replay", scope="sync", answer=ReplayedDelivery, status=202, errors=[409]
    )(replay)
    return api


def list_deliveries(query: DeliveryQuery) -> DeliveryList:
    """List the deliveries, newest first."""
    after = lists.decode(query.cursor, "webhook-log", [int])
    chosen = WebhookLog.select().order_by(WebhookLog.id.desc()).limit(query.limit + 1)
    for column, value in (
        (WebhookLog.site, query.site),
        (WebhookLog.status, query.status),
        (WebhookLog.event_type, query.event_type),
        (WebhookLog.product_id, query.product_id),
    ):
        if value is not None:
            chosen = chosen.where(column == value)
    if query.since is not None:
        chosen = chosen.where(WebhookLog.received_at >= query.since)
    if after:
        chosen = chosen.where(WebhookLog.id < after[0])
    with session():
        found, following = lists.page("webhook-log", list(chosen), query.limit, lambda entry: [entry.id])
    return DeliveryList(items=[Delivery.model_validate(entry) for entry in found], next=following)


def get(path: DeliveryPath) -> DeliveryDetail:
    """One delivery, with its headers, its body and each attempt."""
    with session():
        return DeliveryDetail.model_validate(deliveries.get(path.delivery_id))


def replay(path: DeliveryPath) -> ReplayedDelivery:
    """Do one delivery again.

    The shop is asked what holds now. One that was rejected, or that asks for nothing, is refused.
    """
    return ReplayedDelivery(job_id=deliveries.replay(path.delivery_id, request_id=routes.request_id()))
