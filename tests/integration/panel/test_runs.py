"""One sync's page: what became of its SKUs and why, what is held and its release, cancel, large syncs."""

from __future__ import annotations

import csv
import io
import re

import pytest

from models.database import execute, row, rows
from tests.integration.panel.conftest import Person
from tests.integration.sync.shops import BigCommerceShop, WooCommerceShop
from tests.integration.sync.test_guard import sell_out, stocked
from tests.integration.sync.working import drain, drain_until_step, sync
from tests.places import run_of
from workers import figures
from workers.alerts.check import check
from workers.full_sync import kept
from workers.full_sync.requests import request_sync


def test_a_completed_sync_says_what_it_did(viewer: Person, store: BigCommerceShop) -> None:
    store.add_stocked("A", in_bc=5)
    store.add_stocked("B", in_bc=7, shown=7)
    store.add("NOBODY-KNOWS", 3)
    run = sync(store.site.id)

    page = viewer.text(f"/runs/{run.id}")

    assert "1 pushed, 1 right already." in page
    assert f'href="/runs/{run.id}/items?outcome=skipped&reason=unknown"' in page
    assert "no client could do it with fewer than" in page
    items = viewer.text(f"/runs/{run.id}/items")
    assert "NOBODY-KNOWS" in items
    assert ">pushed</span>" in items
    only = viewer.text(f"/runs/{run.id}/items?outcome=skipped&reason=unknown")
    assert ("NOBODY-KNOWS" in only, ">pushed</span>" in only) == (True, False)


def test_what_failed_is_told_with_the_reason(viewer: Person, store: BigCommerceShop) -> None:
    product = store.add_stocked("A", in_bc=5)
    run = sync(store.site.id)
    execute(
        "UPDATE rm_pushes SET outcome = 'failed', reason = 'refused', message = 'The shop says no.'"
        " WHERE item_id = (SELECT id FROM rm_items WHERE product_id = %s)",
        (product,),
    )
    execute("""UPDATE rm_sync_runs SET pushed = 0, failed = '{"refused": 1}'""")

    page = viewer.text(f"/runs/{run.id}")
    assert "1 SKU not written." in page
    assert f'href="/runs/{run.id}/items?outcome=failed&reason=refused"' in page
    assert "The shop says no." in viewer.text(f"/runs/{run.id}/items?outcome=failed&reason=refused")
    assert "No SKU is like that" in viewer.text(f"/runs/{run.id}/items?outcome=failed&reason=other")


def test_the_skus_of_a_sync_come_a_page_at_a_time_each_once_and_all_in_the_file(
    viewer: Person, store: BigCommerceShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.panel.asked.PAGE", 3)
    monkeypatch.setattr("api.panel.csv_file.ROWS_AT_ONCE", 4)
    skus = [f"PUSHED-{n}" for n in range(5)]
    for sku in skus:
        store.add_stocked(sku, in_bc=5)
    skus += ["ALONE-1", "ALONE-2"]
    store.add_many(skus[-2:])
    run = sync(store.site.id)
    execute("UPDATE rm_pushes SET outcome = 'failed' WHERE item_id %% 2 = 0")

    seen: list[str] = []
    path = f"/runs/{run.id}/items"
    while path:
        page = viewer.text(path)
        seen += [sku for sku in skus if f"{sku}<" in page]
        path = (
            page.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0] if 'rel="next"' in page else ""
        )

    assert sorted(seen) == sorted(skus)
    answer = viewer.get(f"/runs/{run.id}/items.csv")
    found = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert sorted(line["sku"] for line in found) == sorted(skus)
    alone = viewer.get(f"/runs/{run.id}/items.csv?outcome=skipped").get_data(as_text=True)
    assert len(alone.splitlines()) == 3


def test_a_held_sync_says_why_and_what_would_change_and_is_released_by_an_operator(
    viewer: Person, operator: Person, woo: WooCommerceShop
) -> None:
    products = stocked(woo)
    gone = sell_out(woo, products, 15)
    run = sync(woo.site.id)
    assert run.status == "held"

    for path in (f"/sites/{woo.site.id}", f"/runs/{run.id}"):
        page = viewer.text(path)
        assert "15 of 40 SKUs in stock would fall to zero within an hour" in page, path
        assert "Would become" in page
        assert gone[0] in page
        assert "Release 15 SKUs" not in page, "a viewer may only look"
        assert "Release 15 SKUs" in operator.text(path)

    figures.keep()
    check()
    listed = viewer.text("/items")
    assert listed.count(">held</span>") == 15, "nothing is under way: they wait for a person"
    assert '">under way</span>' not in listed
    overview = " ".join(re.sub(r"<[^>]+>", " ", viewer.text("/")).split())
    assert " UTC 40 25 0 0 0 15 0 " in overview, "the figures of a shop add up"
    assert f'<a href="/runs/{run.id}">To the sync</a>' in viewer.text("/")
    listed = viewer.text(f"/runs/{run.id}/items?outcome=held")
    assert all(sku in listed for sku in gone)
    assert listed.count('<td class="n">5</td>') >= 15, "what the shop shows now"

    answer = operator.post(f"/runs/{run.id}/release")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/runs/{run.id}")
    assert "Released: 15 SKUs" in operator.text(f"/runs/{run.id}")
    drain(lambda: run_of(run.id).status == "completed")
    page = operator.text(f"/runs/{run.id}")
    assert "by user operator" in page
    assert "Release 15" not in page
    assert [woo.shown(products[sku]) for sku in gone] == [0] * 15
    assert row("SELECT detail -> 'held' FROM rm_audit_log WHERE action = 'runs.release'") == (15,)


def test_what_a_later_sync_has_decided_anew_is_not_released(operator: Person, woo: WooCommerceShop) -> None:
    sell_out(woo, stocked(woo), 15)
    first = sync(woo.site.id)
    second = sync(woo.site.id)

    page = operator.text(f"/runs/{first.id}")
    assert f"Sync {second.id} has decided anew" in page
    assert "Release 15" not in page
    refused = operator.post(f"/runs/{first.id}/release")
    assert refused.status_code == 409
    assert "look at that one" in refused.get_data(as_text=True)


def test_a_sync_is_cancelled_once(operator: Person, store: BigCommerceShop) -> None:
    run_id = request_sync(store.site.id, requested_by="test").run_id
    operator.get(f"/runs/{run_id}")

    assert operator.post(f"/runs/{run_id}/cancel").status_code == 303
    page = operator.text(f"/runs/{run_id}")
    assert "This sync was cancelled" in page
    assert "cancelled by user operator" in page.lower()
    refused = operator.post(f"/runs/{run_id}/cancel")
    assert refused.status_code == 409
    assert "The sync run is over" in refused.get_data(as_text=True)


def test_of_a_large_sync_that_goes_on_the_figures_are_read_and_not_counted(
    viewer: Person, store: BigCommerceShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sku in ("A", "B", "C"):
        store.add_stocked(sku, in_bc=5)
    run_id = request_sync(store.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    monkeypatch.setattr(kept, "LARGE", 2)
    figures.keep()
    execute("UPDATE rm_pushes SET outcome = 'pushed'")

    page = viewer.text(f"/runs/{run_id}")
    assert "Pushing, 0 of 3 SKUs" in page, "as it was when the dispatcher looked"
    assert "Counted" in page

    execute("UPDATE rm_kept_figures SET counted_at = now() - interval '1 minute'")
    figures.keep()
    assert "Pushing, 3 of 3 SKUs" in viewer.text(f"/runs/{run_id}")

    execute("UPDATE rm_sync_runs SET status = 'cancelled', finished_at = now()")
    figures.keep()
    assert rows("SELECT name FROM rm_kept_figures WHERE name LIKE 'run:%%'") == [], "over: nothing is kept"
