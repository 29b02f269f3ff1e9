"""Why does this SKU show 3?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models.database import execute, rows, session
from models.item import Item
from models.site import Site
from tests.integration.cli.conftest import Run, json_of, only_line
from workers.sku import full_key, make_key

AT = "2026-11-23 02:00:11+00"


def item(site: Site, sku: str, **fields: Any) -> None:
    """A row of a shop."""
    common = {"tracking": "variant", "observed_at": AT, "product_id": 12, "variant_id": 34}
    keys = {"sku_full_key": full_key(sku), "sku_key": make_key(sku)}
    with session():
        Item.create(site=site.id, sku=sku, **{**common, **keys, **fields})


@pytest.fixture
def stocked(shop: Site) -> Site:
    """A shop with a SKU whose quantity has a history, and one that is left alone."""
    item(
        *(shop, "abc-1"),
        name="Lamp",
        shown=3,
        wanted=3,
        bc_quantity=Decimal("5.70000"),
        safety_stock=2,
        stock_read_at=AT,
        shown_before=8,
        sent=3,
        sent_at=AT,
        sent_by_job=77,
    )
    item(shop, "gift card", product_id=13, variant_id=0, shown=1, skip_reason="unknown")
    return shop


def test_a_sku_is_explained_by_its_inputs(run: Run, stocked: Site) -> None:
    result = run("items", "list", "--site", "Outlet", "--sku", " ABC-1")

    assert result.exit_code == 0, result.output
    assert "'abc-1' is product 12, variant 34: Lamp" in result.stdout
    assert "3 = floor(5.7 - safety stock 2), at least 0" in result.stdout
    assert "last written      3 at 2026-11-23 02:00:11 by job 77; it showed 8 before" in result.stdout


def test_a_sku_that_is_left_alone_says_why(run: Run, stocked: Site) -> None:
    result = run("items", "list", "--site", "Outlet", "--sku", "GIFT CARD")

    assert "left alone as unknown" in result.stdout


def test_items_are_listed_and_filtered_by_reason(run: Run, stocked: Site) -> None:
    everything = json_of(run("items", "list", "--site", "Outlet", "--json"))
    skipped = json_of(run("items", "list", "--site", "Outlet", "--skipped", "unknown", "--json"))

    assert [(record["sku"], record["bc_quantity"]) for record in everything] == [
        ("abc-1", "5.7"),
        ("gift card", None),
    ]
    assert [record["sku"] for record in skipped] == ["gift card"]
    assert "gift card" in run("items", "list", "--site", "Outlet").stdout


def test_an_unknown_sku_is_code_1(run: Run, stocked: Site) -> None:
    result = run("items", "list", "--site", "Outlet", "--sku", "nothing")

    assert result.exit_code == 1
    assert "'NOTHING'" in only_line(result)


def test_one_sku_is_synced_when_a_person_asks_for_it(run: Run, stocked: Site) -> None:
    result = run("items", "sync", "--site", "Outlet", "--sku", " ABC-1")

    assert result.exit_code == 0, result.output
    assert rows("SELECT kind, status, payload ->> 'requested_by' FROM rm_queue") == [
        ("item.sync", "pending", "cli")
    ]
    assert (
        "sells nothing whose SKU reads 'NOWHERE'"
        in run("items", "sync", "--site", "Outlet", "--sku", "nowhere").output
    )
    execute("UPDATE rm_sites SET active = false")
    assert "is paused" in run("items", "sync", "--site", "Outlet", "--sku", "abc-1").output
