"""The sites: found by name or state, synced, tried, paused, deleted."""

from __future__ import annotations

from flask import Blueprint, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs, requested_by
from api.panel import asked, words
from api.panel.look import go, page
from api.rest import lists, routes
from models.database import session
from models.site import PLATFORMS
from workers import companies, connection_test, sites, standing
from workers.forms import parse
from workers.full_sync.requests import Requested, request_sync, request_sync_all
from workers.site_forms import SiteChange
from workers.wording import numbered

STATES = (
    ("", "any"),
    ("needs", "needs somebody"),
    ("syncing", "syncing"),
    ("never", "never synced"),
    ("paused", "paused"),
    ("leaving", "being deleted"),
)


def blueprint() -> Blueprint:
    """`/sites`, and what is done to one."""
    pages = Blueprint("sites", __name__)
    one = f"/sites{routes.row_path('site_id')}"
    pages.get("/sites")(show_all)
    pages.post("/sites/sync")(sync_all)
    pages.post(f"{one}/sync")(sync)
    pages.post(f"{one}/test")(test)
    pages.post(f"{one}/pause")(pause)
    pages.post(f"{one}/resume")(resume)
    pages.get(f"{one}/delete")(ask_to_delete)
    pages.post(f"{one}/delete")(delete)
    return pages


@needs("read")
def show_all() -> Response:
    """The sites by name; filters live in the address."""
    after = asked.cursor("panel-sites", [int])
    with session():
        found = standing.search(
            asked.text(),
            platform=asked.one_of("type", PLATFORMS),
            state=asked.one_of("state", standing.STATES),
            after=after[0] if after else None,
            most=asked.PAGE + 1,
        )
        shown, following = lists.page("panel-sites", found, asked.PAGE, lambda one: [one.id])
        return page(
            "sites.html",
            title="Sites",
            sites=shown,
            next=following,
            totals=standing.totals(),
            any_company=bool(companies.listed(most=1)),
            states=STATES,
            platforms=[("", "any"), *((name, words.plain(name)) for name in PLATFORMS)],
        )


@needs("sync")
def sync(site_id: int) -> Response:
    """Ask for a full sync; its progress shows on the site's page."""
    wanted = request_sync(site_id, requested_by=requested_by(), request_id=routes.request_id())
    audit.note(run=wanted.run_id, joined=wanted.joined)
    return go(url_for("panel.site.show", site_id=site_id), _said(wanted))


@needs("sync")
def sync_all() -> Response:
    """Ask for a full sync of every active site."""
    wanted = request_sync_all(requested_by=requested_by(), request_id=routes.request_id())
    audit.note(sites=len(wanted))
    if not wanted:
        return go(url_for("panel.sites.show_all"), "No site is active: nothing is synced.", "warn")
    return go(url_for("panel.sites.show_all", state="syncing"), _synced(len(wanted)))


@needs("admin")
def test(site_id: int) -> Response:
    """Really call the shop and its company, and show each finding."""
    site = sites.get(site_id)
    checks = connection_test.test_site(site)
    audit.note(ok=all(check.ok for check in checks))
    return page(
        "checks.html",
        title=f"Test of {site.name}",
        checks=checks,
        verdict=connection_test.verdict(checks),
        edit=url_for("panel.site_editor.edit", site_id=site_id),
        back=url_for("panel.site.show", site_id=site_id),
    )


@needs("admin")
def pause(site_id: int) -> Response:
    """Leave a shop alone from now on."""
    return _set_active(site_id, False, "is paused: nothing in it is changed until it is resumed.")


@needs("admin")
def resume(site_id: int) -> Response:
    """Go on with a shop, by a full sync."""
    return _set_active(site_id, True, "is active again; a full sync has been asked for.")


@needs("admin")
def ask_to_delete(site_id: int) -> Response:
    """What goes with a site, before it goes."""
    site = sites.get(site_id)
    return page("site_delete.html", title=f"Delete {site.name}", site=site, standing=standing.site(site_id))


@needs("admin")
def delete(site_id: int) -> Response:
    """Delete a site and all that belongs to it; its shop stays as it is."""
    name = sites.get(site_id).name
    audit.note(name=name)
    sites.delete(site_id, request_id=routes.request_id())
    said = f"{name} is deleted; what belonged to it goes now. The shop itself is left as it is."
    return go(url_for("panel.sites.show_all"), said)


def _set_active(site_id: int, active: bool, said: str) -> Response:
    change = parse(SiteChange, {"active": active})
    site = sites.change(site_id, change, requested_by=requested_by(), request_id=routes.request_id())
    return go(url_for("panel.site.show", site_id=site_id), f"{site.name} {said}")


def _synced(number: int) -> str:
    return numbered(number, "site is", "sites are") + " synced now."


def _said(wanted: Requested) -> str:
    if wanted.queued_behind is not None:
        return f"Sync {wanted.run_id} follows as soon as sync {wanted.queued_behind} has ended."
    if wanted.joined:
        return f"Sync {wanted.run_id} had been asked for already: it does it."
    return f"Sync {wanted.run_id} has been asked for."
