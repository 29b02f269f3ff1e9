"""Items over REST: found by site and SKU, with all that their quantity came from."""

from __future__ import annotations

from typing import Any

import pytest

from models.database import execute, row, rows, session
from models.item import Item
from models.site import Site
from tests.integration.api.bodies import faults, refused
from tests.integration.api.conftest import Caller
from workers.sku import full_key, make_key

NOW = "2026-03-19 02:15:23+00"


def _item(site: Site, product_id: int, sku: str, **columns: Any) -> int:
    with session():
        made = Item.create(
            site=site.id,
            product_id=product_id,
            sku=sku,
            sku_full_key=full_key(sku),
            sku_key=make_key(sku),
            tracking="product",
            observed_at=NOW,
            **columns,
        )
    return int(made.id)


def _listed(caller: Caller, **filters: Any) -> list[int]:
    return [one["id"] for one in caller.get("items", **filters).get_json()["items"]]


def test_an_item_shows_the_inputs_of_its_quantity_and_who_wrote_it(reader: Caller, store: Site) -> None:
    run = row("INSERT INTO rm_sync_runs (site_id) VALUES (%s) RETURNING id", (store.id,))
    assert run is not None
    job = row("INSERT INTO rm_queue (queue, kind, run_id) VALUES ('sync', 'x', %s) RETURNING id", run)
    assert job is not None
    item_id = _item(
        store, 205, " bike-01", variant_id=461, bc_quantity="12.50000", safety_stock=2, wanted=10, shown=10,
        shown_before=7, sent=10, sent_at=NOW, sent_by_job=job[0], stock_read_at=NOW,
    )  # fmt: skip

    shown = reader.get(f"items/{item_id}").get_json()

    assert shown.pop("updated_at").endswith("Z")
    assert shown == {
        "id": item_id,
        "site_id": store.id,
        "product_id": 205,
        "variant_id": 461,
        "sku": " bike-01",
        "sku_key": "BIKE-01",
        "name": "",
        "tracking": "product",
        "active": True,
        "bc_quantity": 12.5,
        "safety_stock": 2,
        "stock_read_at": "2026-03-19T02:15:23.000Z",
        "wanted": 10,
        "shown": 10,
        "observed_at": "2026-03-19T02:15:23.000Z",
        "shown_before": 7,
        "sent": 10,
        "sent_at": "2026-03-19T02:15:23.000Z",
        "sent_by_job": job[0],
        "sent_by_run": run[0],
        "skip_reason": None,
        "failure": None,
        "unsure": False,
        "deactivated_at": None,
    }
    assert reader.get("items").get_json()["items"][0]["sent_by_run"] == run[0]
    assert refused(reader.get("items/999"), 404, "unknown_item")


@pytest.mark.parametrize(("stored", "shown"), [("7.00000", "7"), ("-3.00000", "-3"), ("0.00001", "1e-05")])
def test_a_quantity_is_a_json_number_as_a_person_writes_it(
    reader: Caller, store: Site, stored: str, shown: str
) -> None:
    item_id = _item(store, 1, "a", bc_quantity=stored)

    assert f'"bc_quantity": {shown},' in reader.get(f"items/{item_id}").get_data(as_text=True)


@pytest.mark.parametrize("asked", ["bike-01", " BIKE-01 ", "Bike-01"])
def test_a_sku_is_found_however_it_is_written_also_when_it_is_gone(
    reader: Caller, store: Site, shop: Site, asked: str
) -> None:
    here, there = _item(store, 1, "bike-01"), _item(shop, 1, " BIKE-01")
    gone = _item(store, 2, "bike-01", active=False)
    _item(store, 3, "bike-02")

    assert _listed(reader, sku=asked) == [here, gone, there]
    assert _listed(reader, sku=asked, site=store.id) == [here, gone]
    assert _listed(reader, sku=asked, active="true") == [here, there]
    assert _listed(reader, sku=asked, active="false") == [gone]


def test_a_long_sku_is_cut_as_business_central_cuts_it(reader: Caller, store: Site) -> None:
    long = _item(store, 1, "x" * 25)

    assert _listed(reader, sku="X" * 20) == [long]


def test_items_are_filtered_by_product_reason_and_difference(reader: Caller, store: Site) -> None:
    right = _item(store, 1, "a", shown=5, wanted=5)
    wrong = _item(store, 2, "b", shown=4, wanted=5)
    skipped = _item(store, 3, "c", skip_reason="unknown", shown=1, wanted=2)
    unknown = _item(store, 4, "d", shown=1)

    assert _listed(reader, product_id=2) == [wrong]
    assert _listed(reader, skip_reason="unknown") == [skipped]
    assert _listed(reader, differs="true") == [wrong]
    assert _listed(reader, site=store.id, differs="false") == [right, skipped, unknown]


def test_pages_meet_without_a_gap_in_the_order_of_sites_and_products(
    reader: Caller, store: Site, shop: Site
) -> None:
    made = [_item(site, product, "a") for site in (store, shop) for product in (3, 1, 2)]
    in_order = [made[1], made[2], made[0], made[4], made[5], made[3]]

    first = reader.get("items", limit=4).get_json()
    rest = reader.get("items", limit=4, cursor=first["next"]).get_json()

    assert [one["id"] for one in first["items"] + rest["items"]] == in_order
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("sku", "\x00"), ("site", 0), ("site", 2**31), ("product_id", "x"), ("active", "maybe"), ("limit", 501)],
)
def test_a_filter_that_is_wrong_is_named(reader: Caller, name: str, value: Any) -> None:
    assert list(faults(reader.get("items", **{name: value}))) == [name]


def test_an_item_is_synced_when_an_operator_asks_for_it(reader: Caller, syncer: Caller, store: Site) -> None:
    item_id = _item(store, 205, "bike-01")
    execute("UPDATE rm_sites SET active = true")

    assert refused(reader.post(f"items/{item_id}/sync"), 403, "scope_missing")
    asked = syncer.post(f"items/{item_id}/sync")

    assert asked.status_code == 202
    assert rows(
        "SELECT id, kind, site_id, payload ->> 'requested_by' FROM rm_queue WHERE kind = 'item.sync'"
    ) == [(asked.get_json()["job_id"], "item.sync", store.id, "token sync token")]
    assert refused(syncer.post("items/999999/sync"), 404, "unknown_item")
    execute("UPDATE rm_sites SET active = false")
    assert refused(syncer.post(f"items/{item_id}/sync"), 409, "site_inactive")
