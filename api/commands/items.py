"""`inventory-sync items`: what each SKU shows, what it should show, and why."""

from __future__ import annotations

from typing import Any

import click

from api.commands.servers import with_database
from api.commands.shared import Failure, find_site, json_option, print_json, print_table, shown
from models.database import session
from models.item import Item
from workers.errors import Conflict
from workers.item_sync import request_item_sync
from workers.sku import InvalidSkuError, make_key

FIELDS = (
    "id",
    "product_id",
    "variant_id",
    "sku",
    "sku_key",
    "name",
    "tracking",
    "active",
    "shown",
    "observed_at",
    "wanted",
    "bc_quantity",
    "safety_stock",
    "stock_read_at",
    "skip_reason",
    "shown_before",
    "sent",
    "sent_at",
    "sent_by_job",
    "unsure",
    "failure",
    "deactivated_at",
)
COLUMNS = ("product_id", "variant_id", "sku", "shown", "wanted", "bc_quantity", "safety_stock", "skip_reason")


@click.group()
def items() -> None:
    """The shops' SKUs."""


@items.command("list")
@click.option("--site", "wanted", metavar="SITE", required=True)
@click.option("--sku", help="Only rows with this SKU, as the shop or Business Central writes it.")
@click.option("--skipped", metavar="REASON", help="Only rows left alone for this reason, such as unknown.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@with_database
def list_items(wanted: str, sku: str | None, skipped: str | None, limit: int, as_json: bool) -> None:
    """List a site's SKUs; with --sku, explain each row that has it."""
    site = find_site(wanted)
    query = Item.select().where(Item.site == site).order_by(Item.product_id, Item.variant_id).limit(limit)
    if sku is not None:
        query = query.where(Item.sku_key == _key(sku))
    if skipped is not None:
        query = query.where(Item.skip_reason == skipped)
    with session():
        records = [{name: getattr(item, name) for name in FIELDS} for item in query]
    if as_json:
        print_json(records)
    elif sku is None:
        rows = ([record[name] for name in COLUMNS] for record in records)
        print_table(COLUMNS, rows, empty="no such SKU: has the site been synced?")
    else:
        _explain_all(records, sku)


@items.command("sync")
@click.option("--site", "wanted", metavar="SITE", required=True)
@click.option("--sku", required=True, help="As the shop or Business Central writes it.")
@with_database
def sync_item(wanted: str, sku: str) -> None:
    """Sync one SKU now: ask the shop and Business Central, and write what differs."""
    site = find_site(wanted)
    with session():
        found = list(Item.select().where(Item.site == site, Item.active, Item.sku_key == _key(sku)))
    if not found:
        raise Failure(f"--sku: the site sells nothing whose SKU reads {make_key(sku)!r} in Business Central")
    for item in found:
        try:
            job_id = request_item_sync(item.id, requested_by="cli")
        except Conflict as error:
            raise Failure(f"--site: {error.message}") from error
        click.echo(f"job {job_id} syncs {item.sku!r}")


def _key(sku: str) -> str:
    try:
        return make_key(sku)
    except InvalidSkuError as error:
        raise Failure(f"--sku: {error}") from error


def _explain_all(records: list[dict[str, Any]], sku: str) -> None:
    if not records:
        raise Failure(f"--sku: the site has no row whose SKU reads {make_key(sku)!r} in Business Central")
    for record in records:
        click.echo(explanation(record))


def explanation(record: dict[str, Any]) -> str:
    """Why a row shows what it shows, in a few lines."""
    of = f"variant {record['variant_id']}" if record["variant_id"] else "no variant"
    lines = [
        f"{record['sku']!r} is product {record['product_id']}, {of}: {record['name'] or 'no name'}",
        f"  Business Central  item {record['sku_key']!r}: {_stock(record)}",
        f"  should show       {_wanted(record)}",
        f"  shows             {shown(record['shown'])}, as of {shown(record['observed_at'])}",
    ]
    if record["sent_at"] is not None:
        lines.append(
            f"  last written      {shown(record['sent'])} at {shown(record['sent_at'])} by job "
            f"{record['sent_by_job']}; it showed {shown(record['shown_before'])} before"
            f"{'; whether it arrived is not known yet' if record['unsure'] else ''}"
        )
    if record["failure"]:
        lines.append(f"  last failure      {record['failure']}")
    if not record["active"]:
        lines.append(f"  gone              no longer in the shop since {shown(record['deactivated_at'])}")
    return "\n".join(lines)


def _stock(record: dict[str, Any]) -> str:
    if record["bc_quantity"] is None:
        return "not read, or unknown there"
    return f"{shown(record['bc_quantity'])}, as of {shown(record['stock_read_at'])}"


def _wanted(record: dict[str, Any]) -> str:
    if record["skip_reason"]:
        return f"whatever it shows: left alone as {record['skip_reason']}"
    if record["wanted"] is None:
        return "not known yet"
    inputs = f"floor({shown(record['bc_quantity'])} - safety stock {shown(record['safety_stock'])})"
    return f"{record['wanted']} = {inputs}, at least 0"
