"""`/api/v1/sites`: the shops."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field, RootModel

from api.auth import requested_by
from api.rest import choices, lists, routes, site_webhooks
from api.rest.checks import Report, report
from api.rest.lists import Answer, ListQuery, Moment, Page
from models.database import session
from models.site import BIGCOMMERCE, Site
from workers import connection_test, sites
from workers.site_forms import NewSite, SiteChange


class SitePath(BaseModel):
    """Which site."""

    site_id: int


class _SiteAnswer(Answer):
    id: int
    name: str
    company: int
    active: bool
    full_sync_enabled: bool
    full_sync_time: str | None = Field(description="Null: at the time of the settings.")
    webhook_secret_set: bool
    webhook_secret_previous_until: Moment | None = Field(
        description="Until then the secret before this one counts, too."
    )
    webhook_header_value_set: bool
    webhook_proofs: list[str]
    safety_stock: int
    location_codes: list[str]
    last_synced_at: Moment | None
    created_at: Moment
    updated_at: Moment


class BigCommerceSite(_SiteAnswer):
    """A BigCommerce site. Secrets are write-only: `..._set` says whether there is one."""

    platform: Literal["bigcommerce"]
    store_hash: str
    access_token_set: bool
    channel_ids: list[int]
    location_id: int | None
    api_url: str


class WooCommerceSite(_SiteAnswer):
    """A WooCommerce site. Secrets are write-only: `..._set` says whether there is one."""

    platform: Literal["woocommerce"]
    url: str
    consumer_key_set: bool
    consumer_secret_set: bool


class SiteAnswer(RootModel[Annotated[BigCommerceSite | WooCommerceSite, Field(discriminator="platform")]]):
    """A site; `platform` decides which fields it has."""


class SiteList(Page):
    """Sites, oldest first."""

    items: list[SiteAnswer]


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("sites", "The shops, or some channels of one.")
    one = routes.row_path("site_id")
    routes.route(api, "GET", "", scope="read", answer=SiteList)(list_sites)
    routes.route(api, "POST", "", scope="admin", answer=SiteAnswer, status=201, errors=[409])(create)
    routes.route(api, "GET", one, scope="read", answer=SiteAnswer)(get)
    routes.route(api, "PATCH", one, scope="admin", answer=SiteAnswer, errors=[409])(change)
    routes.route(api, "DELETE", one, scope="admin")(delete)
    routes.route(api, "POST", f"{one}/test", scope="admin", answer=Report)(test)
    for noun, view in (("channels", choices.channels), ("locations", choices.locations)):
        routes.route(
            api, "GET", f"{one}/{noun}", scope="admin", answer=choices.ChoiceList, errors=[409, 502]
        )(view)
    site_webhooks.mount(api, one)
    return api


def list_sites(query: ListQuery) -> SiteList:
    """List the sites."""
    after = lists.decode(query.cursor, "sites", [int])
    with session():
        chosen = Site.known().order_by(Site.id).limit(query.limit + 1)
        found = list(chosen.where(Site.id > after[0]) if after else chosen)
    found, following = lists.page("sites", found, query.limit, lambda site: [site.id])
    return SiteList(items=[_answer(site) for site in found], next=following)


def create(body: NewSite) -> SiteAnswer:
    """Add a site.

    An active one starts its first full sync at once.
    """
    return _answer(sites.create(body, requested_by=requested_by(), request_id=routes.request_id()))


def get(path: SitePath) -> SiteAnswer:
    """One site."""
    return _answer(sites.get(path.site_id))


def change(path: SitePath, body: SiteChange) -> SiteAnswer:
    """Change a site.

    What is left out stays; null clears a secret. Making a site active, or changing what its
    shop should show (safety stock, channels, location, company), starts a full sync. Which store it is
    can't change once it has items.
    After a change of its nightly full sync, the nights that come after that change count.
    """
    who, request_id = requested_by(), routes.request_id()
    return _answer(sites.change(path.site_id, body, requested_by=who, request_id=request_id))


def delete(path: SitePath) -> None:
    """Delete a site, its items and its history; the shop itself is left as it is.

    From this answer on the site is unknown, to its shop's webhooks too, and its name and store are free. A job
    deletes what belonged to it, which takes some minutes where that is much. The audit log stays.
    """
    sites.delete(path.site_id, request_id=routes.request_id())


def test(path: SitePath) -> Report:
    """Try a site and its company.

    Really calls both ends; writes nothing.
    """
    return report(connection_test.test_site(sites.get(path.site_id)))


def _answer(site: Site) -> SiteAnswer:
    model = BigCommerceSite if site.platform == BIGCOMMERCE else WooCommerceSite
    values: dict[str, Any] = {"company": site.company_id}
    for name in model.model_fields:
        if name.endswith("_set"):
            values[name] = getattr(site, name.removesuffix("_set")) is not None
        elif name != "company":
            values[name] = getattr(site, name)
    return SiteAnswer.model_validate(values)
