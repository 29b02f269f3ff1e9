"""A site's own page: how it stands, its syncs, what is left alone and why, its webhooks."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from models import setting
from models.database import execute, row, rows, session
from models.site import Site
from tests.integration.panel.conftest import Person
from tests.integration.sync.shops import BigCommerceShop, WooCommerceShop
from tests.integration.sync.working import drain_until_step, sync
from tests.integration.webhooks.registering import ADDRESS, hooks, ready
from workers import figures
from workers.full_sync.requests import request_sync
from workers.webhooks.registration import register


def _page(person: Person, site: Site, **query: Any) -> str:
    return person.text(f"/sites/{site.id}", query_string=query)


def _left_alone(shop: BigCommerceShop) -> None:
    """One that is right, and three that are left alone."""
    shop.add_stocked("RIGHT", in_bc=5)
    shop.add("NOBODY-KNOWS", 3)
    shop.add("=HYPERLINK(1)", 4)
    shop.add("", 1)
    sync(shop.site.id)
    figures.keep()


def test_a_site_that_was_never_synced_says_what_to_do_first(viewer: Person, store: BigCommerceShop) -> None:
    page = _page(viewer, store.site)

    assert "This shop was never synced" in page
    assert "Test the connection" in page
    assert "the store's one enabled location" in page


def test_a_site_that_is_right_says_so_with_its_figures_and_syncs(
    viewer: Person, store: BigCommerceShop
) -> None:
    _left_alone(store)

    page = _page(viewer, store.site)

    assert "Everything is right: 1 SKU shows what it should" in page
    assert "3 more are left alone, each with a reason" in page
    run = row("SELECT id FROM rm_sync_runs")
    assert run is not None
    assert f'href="/runs/{run[0]}"' in page
    assert ">completed</span>" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE rm_sites SET active = false", "This shop is paused"),
        ("UPDATE rm_site_figures SET failed = 2", "2 of 4 SKUs were refused by the shop"),
        ("UPDATE rm_site_figures SET unsettled = 1", "Work is under way"),
        (
            "INSERT INTO rm_sync_runs (site_id, status, error) SELECT id, 'failed', 'BC is away' FROM rm_sites",
            "BC is away",
        ),
        (
            "INSERT INTO rm_alerts (kind, subject, site_id, sentence)"
            " SELECT 'x', 'site', id, 'The token is refused.' FROM rm_sites",
            "The token is refused.",
        ),
    ],
)
def test_the_first_thing_it_says_is_what_needs_somebody(
    viewer: Person, store: BigCommerceShop, change: str, said: str
) -> None:
    _left_alone(store)
    execute(change)

    page = _page(viewer, store.site)

    verdict = page.split('aria-label="Is everything right?"')[1].split("</section>")[0]
    assert said in verdict


def test_a_sync_shows_how_far_it_is_while_it_goes_on(operator: Person, store: BigCommerceShop) -> None:
    store.add_stocked("A", in_bc=5)
    run_id = request_sync(store.site.id, requested_by="test").run_id
    assert "waiting to start" in _page(operator, store.site).lower()

    drain_until_step(run_id, "push")
    page = _page(operator, store.site)
    assert "Pushing, 0 of 1 SKUs" in page
    assert '<progress max="1000" value="500"' in page
    assert f'action="/runs/{run_id}/cancel"' in page

    part = operator.get(
        f"/sites/{store.site.id}", headers={"HX-Request": "true", "HX-Target": "live"}
    ).get_data(as_text=True)
    assert "Pushing, 0 of 1 SKUs" in part
    assert "<h1>" not in part


def test_the_time_left_follows_from_the_rate_so_far(viewer: Person, store: BigCommerceShop) -> None:
    for sku in ("A", "B", "C", "D"):
        store.add_stocked(sku, in_bc=5)
    run_id = request_sync(store.site.id, requested_by="test").run_id
    drain_until_step(run_id, "push")
    execute("UPDATE rm_pushes SET outcome = 'pushed' WHERE item_id = (SELECT min(id) FROM rm_items)")
    execute("UPDATE rm_queue SET created_at = now() - interval '10 minutes' WHERE step = 'push'")

    assert "About 30 min until all is pushed" in _page(viewer, store.site)


def test_syncs_come_a_page_at_a_time(
    viewer: Person, store: BigCommerceShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.panel.site.RUNS_SHOWN", 2)
    execute(
        "INSERT INTO rm_sync_runs (site_id, status) SELECT %s, 'completed' FROM generate_series(1, 5)",
        (store.site.id,),
    )
    ids = [run_id for (run_id,) in rows("SELECT id FROM rm_sync_runs ORDER BY id DESC")]

    seen: list[int] = []
    path = f"/sites/{store.site.id}"
    while path:
        page = viewer.text(path)
        seen += map(int, re.findall(r'<a href="/runs/(\d+)">', page))
        found = re.search(r'href="([^"]+)" rel="next"', page)
        path = found.group(1) if found else ""

    assert seen == ids


def test_what_is_left_alone_is_told_by_reason_with_what_to_do(viewer: Person, store: BigCommerceShop) -> None:
    _left_alone(store)

    page = _page(viewer, store.site)
    assert "Business Central has no item of this number" in page
    assert "Correct the SKU in the shop" in page

    everything = viewer.text(f"/sites/{store.site.id}/left-alone")
    assert ("NOBODY-KNOWS" in everything, "RIGHT" in everything) == (True, False)
    unknown = viewer.text(f"/sites/{store.site.id}/left-alone?reason=unknown")
    assert ("NOBODY-KNOWS" in unknown, "no SKU" in unknown) == (True, False)
    assert "unknown: 2" in unknown
    assert "No SKU is left alone for this reason" in viewer.text(
        f"/sites/{store.site.id}/left-alone?reason=nonsense"
    )


def test_what_is_left_alone_comes_as_a_file_without_formulas(
    viewer: Person, store: BigCommerceShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.panel.csv_file.ROWS_AT_ONCE", 2)
    _left_alone(store)

    answer = viewer.get(f"/sites/{store.site.id}/left-alone.csv")

    assert answer.mimetype == "text/csv"
    found = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert sorted((line["sku"], line["reason"]) for line in found) == [
        ("", "empty"),
        ("'=HYPERLINK(1)", "unknown"),
        ("NOBODY-KNOWS", "unknown"),
    ]
    assert {line["shows_now"] for line in found} == {"1", "3", "4"}
    one = viewer.get(f"/sites/{store.site.id}/left-alone.csv?reason=empty")
    assert one.headers["Content-Disposition"].endswith(f"left-alone-site-{store.site.id}-empty.csv")
    assert len(one.get_data(as_text=True).splitlines()) == 2


def test_a_sku_that_nobody_would_see_is_spelled_out(viewer: Person, store: BigCommerceShop) -> None:
    store.add("A\u200bB", 1)
    sync(store.site.id)

    assert "A\\u200bB" in viewer.text(f"/sites/{store.site.id}/left-alone")


def test_without_a_public_address_the_page_says_what_webhooks_need(
    admin: Person, store: BigCommerceShop
) -> None:
    page = _page(admin, store.site)

    assert "Webhooks have nowhere to go" in page
    assert "Set the public URL" in page
    refused = admin.post(f"/sites/{store.site.id}/webhooks/register")
    assert refused.status_code == 422
    assert hooks(store) == []


def test_webhooks_are_registered_and_one_that_was_disabled_is_told_once_the_shop_is_asked(
    admin: Person, operator: Person, woo: WooCommerceShop
) -> None:
    ready(woo)
    address = f"/sites/{woo.site.id}/webhooks"
    assert "Nobody has looked yet" in _page(admin, woo.site)

    assert admin.post(f"{address}/register").status_code == 303
    page = _page(admin, woo.site)
    assert "The webhooks are registered: 4 created" in page
    assert "all registered" in page
    assert f"{ADDRESS}/webhooks/woocommerce/{woo.site.id}" in page
    assert len(hooks(woo)) == 4

    woo.handle.control("disable_hook", hook_id=hooks(woo)[0].id)
    operator.post(f"{address}/status")
    page = _page(operator, woo.site)
    assert "1 webhooks are missing or disabled: register them" in page
    assert ">disabled</span>" in page
    assert "Register</button>" not in page, "that is for admins"


def test_a_shop_that_can_t_be_asked_for_its_webhooks_says_why(
    operator: Person, store: BigCommerceShop
) -> None:
    ready(store)
    with session():
        Site.update(access_token="wrong").where(Site.id == store.site.id).execute()

    answer = operator.post(f"/sites/{store.site.id}/webhooks/status")

    assert answer.status_code == 502
    assert "That did not work" in answer.get_data(as_text=True)
    assert row("SELECT outcome FROM rm_audit_log WHERE action = 'site_webhooks.look'") == ("failed",)


def test_a_trial_of_the_webhooks_shows_how_far_it_got(admin: Person, woo: WooCommerceShop) -> None:
    ready(woo)
    with session():
        register(Site.get_by_id(woo.site.id))

    page = admin.post(f"/sites/{woo.site.id}/webhooks/test").get_data(as_text=True)

    assert "A delivery did not come through" in page
    assert "<strong>sent</strong>" in page
    assert "no answer" in page
    assert setting.read("public_webhook_url") == ADDRESS
