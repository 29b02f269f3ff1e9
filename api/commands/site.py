"""`inventory-sync site`: the shops."""

from __future__ import annotations

from typing import Any

import click

from api.commands.company import find_company
from api.commands.servers import with_database
from api.commands.shared import ask_secret, find_site, given, json_option, print_checks, print_list
from models.database import session
from models.site import BIGCOMMERCE, PLATFORMS, Site
from workers import connection_test, sites
from workers.forms import parse
from workers.site_forms import NewSite, SiteChange

FIELDS = (
    "id",
    "name",
    "platform",
    "active",
    "store_hash",
    "url",
    "api_url",
    "channel_ids",
    "location_id",
    "safety_stock",
    "full_sync_enabled",
    "full_sync_time",
    "last_synced_at",
    "created_at",
)
COLUMNS = ("id", "name", "platform", "company", "active", "store", "last_synced_at")
# What each platform's API asks for, in the order in which a person is asked.
SECRETS = {BIGCOMMERCE: ("access_token",), "woocommerce": ("consumer_key", "consumer_secret")}
ASKED = "Better left out: it is asked for then, and stands in no shell history."


@click.group()
def site() -> None:
    """Shops on BigCommerce and WooCommerce."""


@site.command()
@click.option("--name", required=True)
@click.option("--platform", required=True, type=click.Choice(PLATFORMS))
@click.option("--company", "wanted", metavar="COMPANY", required=True, help="Id or exact name.")
@click.option("--safety-stock", type=int, help="Taken off every quantity.  [default: 0]")
@click.option("--inactive", is_flag=True, help="Only store it; an active site starts its first full sync.")
@click.option("--full-sync-time", metavar="HH:MM", help="Of its nightly full sync.  [default: the setting's]")
@click.option("--no-full-sync", is_flag=True, help="No nightly full sync; webhooks and commands go on.")
@click.option("--store-hash", help="BigCommerce: the part after /stores/ of the API path.")
@click.option("--access-token", help=f"BigCommerce: of the API account. {ASKED}")
@click.option("--channel-id", "channel_ids", type=int, multiple=True, help="BigCommerce: may be repeated.")
@click.option("--location-id", type=int, help="BigCommerce: needed where several locations are enabled.")
@click.option("--api-url", help="BigCommerce: default https://api.bigcommerce.com")
@click.option("--url", help="WooCommerce: the shop's home page.")
@click.option("--consumer-key", help=f"WooCommerce: of the REST API key. {ASKED}")
@click.option("--consumer-secret", help=f"WooCommerce: of the REST API key. {ASKED}")
@click.option(
    "--webhook-secret", help="BigCommerce: the app's client secret; WooCommerce: made where left out."
)
@with_database
def add(wanted: str, platform: str, inactive: bool, no_full_sync: bool, **fields: Any) -> None:
    """Add a shop; an active one starts its first full sync."""
    fields["full_sync_enabled"] = False if no_full_sync else None
    fields["company"] = find_company(wanted).id
    for name in SECRETS[platform]:
        fields[name] = fields[name] or ask_secret(name.replace("_", " ").capitalize())
    fields["channel_ids"] = list(fields["channel_ids"]) or None
    form = parse(NewSite, {**given(fields), "platform": platform, "active": not inactive})
    made = sites.create(form, requested_by="cli")
    click.echo(f"site {made.id} ({made.name}) is stored; try it: inventory-sync site test {made.id}")


@site.command("list")
@json_option
@with_database
def list_sites(as_json: bool) -> None:
    """List the shops, without their secrets."""
    with session():
        records = [_described(one) for one in Site.known().order_by(Site.id)]
    if as_json:
        for record in records:
            del record["store"]
    print_list(as_json, records, COLUMNS, empty="no site yet: see `inventory-sync site add`")


@site.command("test")
@click.argument("wanted", metavar="SITE")
@json_option
@with_database
def try_site(wanted: str, as_json: bool) -> None:
    """Really call the shop and its company, and say in one line what is wrong."""
    print_checks(as_json, connection_test.test_site(find_site(wanted)))


@site.command()
@click.argument("wanted", metavar="SITE")
@with_database
def activate(wanted: str) -> None:
    """Make a shop active, which starts a full sync."""
    changed = _set_active(wanted, active=True)
    click.echo(
        f"site {changed.id} ({changed.name}) is active: inventory-sync sync {changed.id} shows its sync"
    )


@site.command()
@click.argument("wanted", metavar="SITE")
@with_database
def deactivate(wanted: str) -> None:
    """Leave a shop alone from now on; nothing of it is deleted."""
    changed = _set_active(wanted, active=False)
    click.echo(f"site {changed.id} ({changed.name}) is not active any more")


def _set_active(wanted: str, *, active: bool) -> Site:
    change = parse(SiteChange, {"active": active})
    return sites.change(find_site(wanted).id, change, requested_by="cli")


def _described(one: Site) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in FIELDS}
    return {**fields, "company": one.company_id, "store": one.store_hash or one.url}
