"""Adding and changing a site, in the dialog."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs, requested_by
from api.errors import sentence_of
from api.panel import site_form, words
from api.panel.look import errors_of, go, page
from api.rest import routes
from models import setting
from models.crypto import UndecryptableError
from models.site import BIGCOMMERCE, PLATFORMS, Site
from workers import choices, companies, sites
from workers.errors import Conflict, InvalidFields, InventorySyncError
from workers.forms import parse
from workers.site_forms import NewSite, SiteChange

COMPANIES_OFFERED = 500


def blueprint() -> Blueprint:
    """`/sites/new`, `/sites/ID/edit` and what their form asks."""
    pages = Blueprint("site_editor", __name__)
    one = f"/sites{routes.row_path('site_id')}"
    pages.get("/sites/new")(new)
    pages.post("/sites/new")(create)
    pages.post("/sites/new/choices")(ask_for_new)
    pages.get(f"{one}/edit")(edit)
    pages.post(f"{one}/edit")(change)
    pages.post(f"{one}/choices")(ask)
    return pages


@needs("admin")
def new() -> Response:
    """The form for a site to add."""
    return _form(None, site_form.shown(None))


@needs("admin")
def create() -> Response:
    """Add a site; an active one starts its first full sync."""
    platform = site_form.platform()
    values = site_form.typed(platform) | {"active": "active" in request.form}
    audit.note(fields=sorted(values))
    try:
        form = parse(NewSite, values | {"platform": platform})
        made = sites.create(form, requested_by=requested_by(), request_id=routes.request_id())
    except (InvalidFields, Conflict) as error:
        return _again(None, error)
    audit.note(subject=f"site {made.id}", name=made.name)
    said = "its first full sync has been asked for." if made.active else "it is paused: resume it to sync it."
    return go(url_for("panel.site.show", site_id=made.id), f"{made.name} is added; {said}")


@needs("admin")
def edit(site_id: int) -> Response:
    """The form for a site that is there."""
    site = sites.get(site_id)
    return _form(site, site_form.shown(site))


@needs("admin")
def change(site_id: int) -> Response:
    """Change what differs; secrets that were left empty stay, unless they are to be removed."""
    site = sites.get(site_id)
    values = site_form.changes(site)
    audit.note(fields=sorted(values), **_removed(values))
    back = url_for("panel.site.show", site_id=site_id)
    if not values:
        return go(back, f"Nothing of {site.name} was changed.", "quiet")
    try:
        changed = sites.change(
            site_id,
            parse(SiteChange, values),
            requested_by=requested_by(),
            request_id=routes.request_id(),
        )
    except (InvalidFields, Conflict) as error:
        return _again(site, error)
    return go(back, f"{changed.name} is changed.")


@needs("admin")
def ask_for_new() -> Response:
    """Ask the store that is being typed in for its channels and locations."""
    return _ask(None)


@needs("admin")
def ask(site_id: int) -> Response:
    """Ask a site's store for its channels and locations."""
    return _ask(sites.get(site_id))


def _ask(site: Site | None) -> Response:
    typed = site_form.typed(BIGCOMMERCE)
    given = {name: typed[name] for name in ("store_hash", "access_token", "api_url") if typed.get(name)}
    values = site_form.shown_again()
    try:
        draft = choices.draft(parse(SiteChange, given), site)
        offered = {"channels": choices.channels(draft), "locations": choices.locations(draft)}
    except InventorySyncError as error:
        return _form(site, values, 422, trouble=sentence_of(error))
    except UndecryptableError as error:
        return _form(site, values, 422, trouble=f"{error}.")
    return _form(site, values, offered=offered)


def _removed(values: dict[str, Any]) -> dict[str, Any]:
    """Which secrets go, for the audit log; nothing where none does."""
    gone = sorted(name for name in site_form.REMOVABLE if values.get(name, "") is None)
    return {"removed": gone} if gone else {}


def _again(site: Site | None, error: InvalidFields | Conflict) -> Response:
    status = 422 if isinstance(error, InvalidFields) else 409
    return _form(site, site_form.shown_again(), status, errors=_fields(error), offered=site_form.offered())


def _fields(error: InvalidFields | Conflict) -> dict[str, str]:
    """channel_ids.0 is a fault of channel_ids; there is one place for it."""
    return {name.partition(".")[0]: message for name, message in errors_of(error).items()}


def _address(site: Site | None, view: str) -> str:
    return url_for(f"panel.site_editor.{view}", site_id=site.id if site else None)


def _options(offered: site_form.Offered, values: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What the store offers, by name; what is chosen and not offered any more stays to be seen."""
    one = [("", "the store's one enabled location")]
    location = [values["location_id"]] if values.get("location_id") else []
    return {
        "channels": _named(offered.get("channels", []), values.get("channel_ids", [])),
        "locations": one + _named(offered.get("locations", []), location),
    }


def _named(offered: list[choices.Choice], chosen: list[Any]) -> list[tuple[str, str]]:
    named = {str(one.id): f"{one.name or one.id}{'' if one.enabled else ' (disabled)'}" for one in offered}
    gone = {str(each): f"{each} (not in this store)" for each in chosen if str(each) not in named}
    return [*named.items(), *gone.items()]


def _form(
    site: Site | None,
    values: dict[str, Any],
    status: int = 200,
    *,
    errors: dict[str, str] | None = None,
    offered: site_form.Offered | None = None,
    trouble: str | None = None,
) -> Response:
    return page(
        "site_form.html",
        status,
        title=f"Change {site.name}" if site else "Add a site",
        site=site,
        address=_address(site, "edit" if site else "new"),
        asks=_address(site, "ask" if site else "ask_for_new"),
        values=values,
        errors=errors or {},
        secrets=site_form.secrets_set(site),
        companies=[(one.id, one.name) for one in companies.listed(most=COMPANIES_OFFERED)],
        platforms=[(name, words.plain(name)) for name in PLATFORMS],
        common_time=setting.read("full_sync_time"),
        zone=setting.read("timezone"),
        offered=offered,
        options=_options(offered or {}, values),
        packed=site_form.pack(offered),
        trouble=trouble,
    )
