"""`/api/v1/sites/{id}/webhooks`: what is registered at the shop, put right, tried and done again."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from api.rest import routes
from api.rest.lists import Answer, Moment
from workers import sites
from workers.forms import Form
from workers.forms import Moment as GivenMoment
from workers.webhooks import deliveries, registration, trial


class WebhooksPath(BaseModel):
    """Which site."""

    site_id: int


class TopicAnswer(Answer):
    """One topic at the shop."""

    topic: str = Field(description="As the shop calls it.")
    state: str = Field(description="healthy, disabled or missing.")
    hook_id: int | None = Field(description="The shop's own id.")
    last_delivery_at: Moment | None


class WebhooksAnswer(Answer):
    """What is registered now, and what was done for it (topics; empty where one only looked)."""

    site_id: int
    healthy: bool = Field(description="Whether the shop tells us of everything.")
    destination: str
    topics: list[TopicAnswer]
    created: list[str]
    kept: list[str]
    updated: list[str] = Field(description="Given the secret of now.")
    restored: list[str] = Field(description="They had been disabled.")
    removed: list[str] = Field(description="Ours, and of no use any more.")
    stale: int = Field(description="Ours, and of no use: registering removes them.")
    others: int = Field(description="Of other apps, never touched.")
    sync_run_id: int | None = Field(description="The sync that makes up for what was missed.")


class TrialStep(Answer):
    """One step: sent, answered, logged or processed."""

    name: str
    ok: bool
    message: str
    seconds: float
    field: str | None = Field(description="What to correct, where one thing is at fault.")


class TrialAnswer(Answer):
    """How far a delivery of our own got."""

    ok: bool
    seconds: float
    delivery_id: int | None
    steps: list[TrialStep]


class ReplaySince(Form):
    """From when on."""

    since: GivenMoment = Field(description="A time with its zone.")


class ReplayAnswer(Answer):
    """How many deliveries are done again."""

    replayed: int


def mount(api: APIBlueprint, one: str) -> None:
    """The routes, below a site's own address."""
    at = f"{one}/webhooks"
    shop = [409, 422, 502]
    routes.route(api, "GET", at, scope="read", answer=WebhooksAnswer, errors=shop)(webhooks)
    routes.route(api, "POST", at, scope="admin", answer=WebhooksAnswer, errors=shop)(register_webhooks)
    routes.route(api, "POST", f"{at}/test", scope="admin", answer=TrialAnswer, errors=[422])(test_webhooks)
    routes.route(api, "POST", f"{at}/replay", scope="sync", answer=ReplayAnswer, status=202)(replay_failed)


def webhooks(path: WebhooksPath) -> WebhooksAnswer:
    """What is registered at a site's shop.

    Asks the shop, and changes nothing there.
    """
    return _answer(registration.status(sites.get(path.site_id)))


def register_webhooks(path: WebhooksPath) -> WebhooksAnswer:
    """Register a site's webhooks.

    Creates what is missing, brings back what the shop has disabled, and removes stale ones of ours; those of
    other apps are never touched. Where events were missed, a full sync follows.
    """
    site = sites.get(path.site_id)
    return _answer(registration.register(site, request_id=routes.request_id()))


def test_webhooks(path: WebhooksPath) -> TrialAnswer:
    """Try a site's webhooks.

    Sends a signed delivery of our own through the public address, and follows it to its effect; takes up to half a
    minute.
    """
    return TrialAnswer.model_validate(trial.send(sites.get(path.site_id)))


def replay_failed(path: WebhooksPath, body: ReplaySince) -> ReplayAnswer:
    """Do a site's failed deliveries again.

    All that were received since a time.
    """
    site = sites.get(path.site_id)
    return ReplayAnswer(
        replayed=deliveries.replay_failed(site.id, body.since, request_id=routes.request_id())
    )


def _answer(report: registration.Report) -> WebhooksAnswer:
    return WebhooksAnswer.model_validate(report)
