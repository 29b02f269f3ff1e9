"""Shops: made, changed and deleted, for REST and the command line alike."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from peewee import IntegrityError, fn

from models.company import Company
from models.database import DatabaseUnavailable, execute, row, rows, session
from models.site import BIGCOMMERCE, DEFAULT_BIGCOMMERCE_API_URL, WOOCOMMERCE, Site
from workers import leaving, ledger, stores
from workers.database_errors import constraint, retried
from workers.errors import ConfigurationError, Conflict, FieldError, InvalidFields, UnknownRecord
from workers.forms import collect_url
from workers.full_sync import requests
from workers.site_forms import HEADER_NEEDS_VALUE, ONLY_FOR, NewSite, SiteChange
from workers.webhooks import rotation

log = structlog.get_logger()

WEBHOOK_SECRET_BYTES = 32

_DECIDES_STOCK = ("safety_stock", "channel_ids", "location_id")


def get(site_id: int) -> Site:
    """One site. Raises UnknownRecord."""
    with session():
        found: Site | None = Site.known().where(Site.id == site_id).first()
    if found is None:
        raise UnknownRecord("site")
    return found


@retried
def names() -> list[tuple[int, str]]:
    """All sites by name, to choose from: (id, name)."""
    return list(rows("SELECT id, name FROM rm_sites WHERE leaving_at IS NULL ORDER BY lower(name), id"))


def create(form: NewSite, *, requested_by: str, request_id: str | None = None) -> Site:
    """Store a site; an active one starts its first full sync. Raises InvalidFields, Conflict."""
    values = form.root.given()
    values["platform"] = form.root.platform
    values["webhook_proofs"] = form.root.webhook_proofs
    if values["platform"] == BIGCOMMERCE:
        values["api_url"] = (values.get("api_url") or DEFAULT_BIGCOMMERCE_API_URL).rstrip("/")
    elif values.get("webhook_secret") is None:
        values["webhook_secret"] = secrets.token_hex(WEBHOOK_SECRET_BYTES)
    with ledger.committing():
        values["store_key"] = _checked(values)
        stores.claim(values["store_key"], values.get("channel_ids", ()), site_id=None)
        site_id = _write(Site.insert(**values))
        if form.root.active:
            _start_sync(site_id, requested_by, request_id)
        return get(site_id)


@retried
def change(site_id: int, form: SiteChange, *, requested_by: str, request_id: str | None = None) -> Site:
    """Change what was given. Becoming active, and whatever changes what the shop should show, starts a full sync.

    Raises UnknownRecord, InvalidFields, Conflict (`identity_fixed`, `store_taken`, `name_taken`, ...).
    """
    values = form.given()
    with ledger.committing():
        site = _locked(site_id)
        _refuse_other_platform(site, values)
        if values.get("api_url", ...) is None:
            values["api_url"] = DEFAULT_BIGCOMMERCE_API_URL
        values.update(rotation.rotated(site, values))
        merged = {**_stored(site), **values}
        values["store_key"] = _checked(merged, given=values)
        if values["store_key"] != site.store_key:
            _refuse_if_in_use(site)
            values["details"] = {}
        if values["store_key"] != site.store_key or "channel_ids" in values:
            stores.claim(values["store_key"], merged["channel_ids"], site_id=site_id)
        if _moves_nights(site, values):
            values["full_sync_since"] = fn.now()
        _write(Site.update(**values, updated_at=fn.now()).where(Site.id == site_id))
        if merged["active"] and (not site.active or _shows_something_else(site, values)):
            _start_sync(site_id, requested_by, request_id)
        return get(site_id)


def delete(site_id: int, *, request_id: str | None = None) -> None:
    """Delete a site and all that belongs to it; its shop stays as it is. Raises UnknownRecord.

    It is unknown to everybody from now on, and its name and store are free; a job deletes its rows.
    """
    _leave(site_id, request_id)
    try:
        leaving.stop_runs(site_id)
    except DatabaseUnavailable as error:  # it is deleted all the same: the job stops its runs too
        log.warning(
            "runs of a deleted site go on", action="delete", site_id=site_id, error=str(error).strip()
        )


@retried
def _leave(site_id: int, request_id: str | None) -> None:
    with ledger.committing():
        _locked(site_id)
        execute(
            "UPDATE rm_sites SET active = false, leaving_at = now(), updated_at = now() WHERE id = %s",
            (site_id,),
        )
        ledger.insert([leaving.job(site_id, request_id)])


def _checked(values: Mapping[str, Any], *, given: Mapping[str, Any] | None = None) -> str:
    """The key of the store, once all fields fit together. Raises InvalidFields with all that don't."""
    given = values if given is None else given
    errors: list[FieldError] = []
    collect_url(given.get("api_url"), "api_url", errors)
    collect_url(given.get("url"), "url", errors)
    if "company" in given and not Company.select().where(Company.id == given["company"]).exists():
        errors.append(FieldError("company", "there is no company with this id"))
    if "header" in values["webhook_proofs"] and values.get("webhook_header_value") is None:
        errors.append(FieldError("webhook_header_value", HEADER_NEEDS_VALUE))
    key = ""
    try:
        key = _store_key(values)
    except ConfigurationError as error:
        if all(found.field != error.field for found in errors):
            errors.append(FieldError(error.field, error.message))
    if errors:
        raise InvalidFields(errors)
    return key


def _store_key(values: Mapping[str, Any]) -> str:
    if values["platform"] == BIGCOMMERCE:
        return stores.bigcommerce_key(values["store_hash"])
    return stores.woocommerce_key(values["url"])


def _locked(site_id: int) -> Site:
    # NO KEY: what only refers to the site (a run, its items) must not wait, or two would wait for each other.
    found = row("SELECT 1 FROM rm_sites WHERE id = %s AND leaving_at IS NULL FOR NO KEY UPDATE", (site_id,))
    if found is None:
        raise UnknownRecord("site")
    return get(site_id)


def _stored(site: Site) -> dict[str, Any]:
    names = (
        "platform",
        "active",
        "store_hash",
        "url",
        "channel_ids",
        "webhook_proofs",
        "webhook_header_value",
    )
    return {name: getattr(site, name) for name in names}


def _shows_something_else(site: Site, values: Mapping[str, Any]) -> bool:
    """Whether a change moves what the shop's rows should show, or where they are written."""
    before = {**{name: getattr(site, name) for name in _DECIDES_STOCK}, "company": site.company_id}
    return any(name in values and values[name] != before[name] for name in before)


def _moves_nights(site: Site, values: Mapping[str, Any]) -> bool:
    """Whether only the nights after this change count: at another time, or at last."""
    return (
        values.get("full_sync_time", site.full_sync_time) != site.full_sync_time
        or (values.get("full_sync_enabled", False) and not site.full_sync_enabled)
        or (values.get("active", False) and not site.active)
    )


def _refuse_other_platform(site: Site, values: dict[str, Any]) -> None:
    if values.pop("platform", site.platform) != site.platform:
        raise Conflict("identity_fixed", "a site keeps its platform: make a new site", field="platform")
    other = WOOCOMMERCE if site.platform == BIGCOMMERCE else BIGCOMMERCE
    if foreign := sorted(ONLY_FOR[other] & values.keys()):
        raise InvalidFields(
            [FieldError(name, f"is not a field of a {site.platform} site") for name in foreign]
        )


def _refuse_if_in_use(site: Site) -> None:
    """Items belong to the store that they were read from, and a running sync reads more of them."""
    field = "store_hash" if site.platform == BIGCOMMERCE else "url"
    if row("SELECT 1 FROM rm_items WHERE site_id = %s LIMIT 1", (site.id,)):
        raise Conflict(
            "identity_fixed",
            "this site has items of its store: make a new site for another store",
            field=field,
        )
    if row("SELECT 1 FROM rm_sync_runs WHERE site_id = %s AND status = 'running'", (site.id,)):
        raise Conflict(
            "identity_fixed", "a sync of this site runs: cancel it or wait until it ends", field=field
        )


def _write(query: Any) -> int:
    try:
        return int(query.execute())
    except IntegrityError as error:
        if constraint(error) == "rm_sites_company_id_fkey":
            raise InvalidFields([FieldError("company", "there is no company with this id")]) from None
        raise Conflict("name_taken", "another site has this name", field="name") from None


def _start_sync(site_id: int, requested_by: str, request_id: str | None) -> None:
    requests.request_sync(site_id, requested_by=requested_by, request_id=request_id)
