"""Items: found by SKU, number, name and state across all shops; one answers why it shows what it shows."""

from __future__ import annotations

import json
import re

import pytest

from models.database import execute, row, rows
from tests.integration.panel.conftest import Person
from tests.integration.panel.stock import company, delivery, item, job, push, site, stocked
from workers import item_search, walks


@pytest.fixture
def contoso(database: str) -> int:
    """A company."""
    return company()


@pytest.fixture
def outlet(contoso: int) -> int:
    """A shop of it."""
    return site(contoso, "Outlet")


@pytest.fixture
def flagship(contoso: int) -> int:
    """Another one."""
    return site(contoso, "Flagship")


def found(person: Person, **filters: str) -> list[str]:
    """The SKUs on the page, in order."""
    page = person.text("/items", query_string=filters)
    return re.findall(r'<a href="/items/\d+">([^<]*)</a>', page)


def test_a_sku_is_found_by_its_beginning_in_all_shops_whatever_its_case(
    viewer: Person, outlet: int, flagship: int
) -> None:
    for shop in (outlet, flagship):
        item(shop, "bike-01")
    item(outlet, " Bike-02 ")
    item(outlet, "LAMP-01")

    assert found(viewer, q="bike-01") == ["bike-01", "bike-01"]
    assert found(viewer, q=" BIKE") == ["bike-01", "bike-01", " Bike-02 "]
    assert found(viewer, q="bike", site=str(flagship)) == ["bike-01"]
    assert found(viewer, q="ike") == []
    assert found(viewer, q="BIKE-01 and more of it") == []


def test_a_sku_longer_than_an_item_number_is_found_by_all_of_its_letters(viewer: Person, outlet: int) -> None:
    item(outlet, "ABCDEFGHIJKLMNOPQRST-ONE")
    item(outlet, "ABCDEFGHIJKLMNOPQRST-TWO")

    assert found(viewer, q="abcdefghijklmnopqrst-t") == ["ABCDEFGHIJKLMNOPQRST-TWO"]
    assert len(found(viewer, q="abcdefghijklmnopqrst")) == 2


def test_a_name_is_found_by_the_beginnings_of_its_words_after_the_skus(
    viewer: Person, outlet: int, flagship: int
) -> None:
    item(outlet, "RED-1", name="A plain lamp")
    item(outlet, "X-1", name="Mountain-bike (red), 29/12 “Größe L”")
    item(flagship, "X-2", name="Road bike, red")

    assert found(viewer, q="red") == ["RED-1", "X-1", "X-2"]
    assert found(viewer, q="bik mount") == ["X-1"]
    assert found(viewer, q="29 12") == ["X-1"]
    assert found(viewer, q="größ") == ["X-1"]
    assert found(viewer, q="bike", site=str(flagship)) == ["X-2"]
    assert found(viewer, q="i'k:e & | ! ( \\") == []


def test_whole_words_go_before_their_beginnings_and_common_words_are_found_as_rare_ones_are(
    viewer: Person, outlet: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(120):
        item(outlet, f"A-{number:03}", name=f"Lamp of a kind, no {number}")
    item(outlet, "Z-1", name="Lamp post 7")
    item(outlet, "Z-2", name="Lamppost 7")
    for rows_met in (item_search.MET_ROWS, 1):
        monkeypatch.setattr(item_search, "MET_ROWS", rows_met)
        assert found(viewer, q="lamp po") == ["Z-1"]
        assert found(viewer, q="lampp po") == []
        assert found(viewer, q="lam pos") == ["Z-1"]
        assert len(found(viewer, q="lamp")) == 50
        assert found(viewer, q="lamp 119") == ["A-119"]
    monkeypatch.setattr(item_search, "MOST_NAMES", 100)
    page = viewer.text("/items?q=lamp")
    assert "These are some of them: add a word, or choose a shop" in page
    assert 'rel="next"' not in page


def test_a_page_that_skus_fill_to_the_last_row_goes_on_with_names(viewer: Person, outlet: int) -> None:
    for number in range(50):
        item(outlet, f"LAMP-{number:02}")
    assert 'rel="next"' not in viewer.text("/items?q=lamp")
    item(outlet, "OTHER", name="A lamp")

    following = re.search(r'href="([^"]+)" rel="next"', viewer.text("/items?q=lamp"))
    assert following is not None
    assert re.findall(r'<a href="/items/\d+">([^<]*)</a>', viewer.text(following.group(1))) == ["OTHER"]


def test_each_state_is_found_alone_and_what_is_left_alone_by_its_reason(viewer: Person, outlet: int) -> None:
    stocked(outlet, "RIGHT", bc=5, shown=5)
    stocked(outlet, "SOLD", bc=5, shown=3, drift_since="2026-03-19 02:00:00+00")
    stocked(outlet, "REFUSED", bc=5, shown=3, failure="not_found")
    stocked(outlet, "ON-ITS-WAY", bc=5, shown=3)
    stocked(outlet, "DOUBTED", bc=5, shown=3, unsure=True)
    item(outlet, "NEW")
    item(outlet, "WHO", skip_reason="unknown", name="A lamp")
    item(outlet, "", skip_reason="empty")
    item(outlet, "LEFT", active=False)

    assert found(viewer, state="agreeing") == ["RIGHT"]
    assert found(viewer, state="drifting") == ["SOLD"]
    assert found(viewer, state="failed") == ["REFUSED"]
    assert found(viewer, state="unsettled") == ["DOUBTED", "NEW", "ON-ITS-WAY"]
    assert found(viewer, state="unsure") == ["DOUBTED"]
    assert found(viewer, state="skipped") == ["no SKU", "WHO"]
    assert found(viewer, state="skipped", reason="unknown") == ["WHO"]
    assert found(viewer, state="skipped", reason="unknown", q="lamp") == ["WHO"]
    assert found(viewer, state="skipped", q="wh", site=str(outlet)) == ["WHO"]
    assert found(viewer, state="gone") == ["LEFT"]
    assert found(viewer, state="agreeing", q="so") == []
    assert "LEFT" not in found(viewer)


@pytest.mark.parametrize(
    "filters", [{}, {"q": "sku"}, {"q": "lamp"}, {"state": "skipped"}, {"state": "failed"}]
)
def test_pages_hold_each_item_once(
    viewer: Person, outlet: int, flagship: int, filters: dict[str, str]
) -> None:
    execute(
        """
        INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, name, tracking, observed_at,
                              skip_reason, failure)
        SELECT CASE WHEN n %% 2 = 0 THEN %s ELSE %s END, n, 'Sku-' || n / 3, 'SKU-' || n / 3, 'SKU-' || n / 3, 'Lamp',
               'product', now(), CASE WHEN %s THEN 'reason' || n %% 3 END, CASE WHEN %s THEN 'refused' END
        FROM generate_series(1, 130) AS n
        """,
        (outlet, flagship, filters.get("state") == "skipped", filters.get("state") == "failed"),
    )
    seen: list[str] = []
    address = "/items?" + "&".join(f"{name}={value}" for name, value in filters.items())
    for _ in range(10):
        page = viewer.text(address)
        seen += re.findall(r'href="/items/(\d+)"', page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        if not following:
            break
        address = following.group(1)

    assert len(seen) == len(set(seen)) == 130


def test_a_page_looks_no_further_than_so_many_rows_and_says_where_it_goes_on(
    viewer: Person, outlet: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        stocked(outlet, f"SKU-{number:02}", bc=5, shown=5)
    stocked(outlet, "SKU-90", bc=5, shown=3)
    monkeypatch.setattr(walks.page, "__defaults__", (10,))

    address, seen = "/items?state=unsettled", list[str]()
    for _ in range(5):
        page = viewer.text(address)
        seen += re.findall(r'<a href="/items/\d+">([^<]*)</a>', page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        if not following:
            break
        assert "10 SKUs were looked through" in page
        address = following.group(1)

    assert seen == ["SKU-90"]


def test_a_sku_that_nobody_can_see_is_spelled_out_and_pages_go_on_behind_it(
    viewer: Person, outlet: int
) -> None:
    for number in range(60):
        item(outlet, f"Z\u200b{number:02}")

    page = viewer.text("/items")
    assert "Z\\u200b00" in page
    following = re.search(r'href="([^"]+)" rel="next"', page)
    assert following is not None
    assert "Z\\u200b59" in viewer.text(following.group(1))


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"site": "everywhere"}, "site"),
        ({"state": "sideways"}, "state"),
        ({"q": "x" * 201}, "q"),
        ({"q": "a\x00b"}, "q"),
    ],
)
def test_what_can_not_be_searched_for_is_told_of_under_its_field(
    viewer: Person, outlet: int, filters: dict[str, str], field: str
) -> None:
    answer = viewer.get("/items", query_string=filters)

    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert re.search(rf'id="h-{field}"><span class="error">', page)


def test_a_cursor_that_is_none_is_refused(viewer: Person) -> None:
    assert viewer.get("/items?cursor=abc").status_code == 422
    assert viewer.get("/items?cursor=WyJwYW5lbC1pdGVtcyIsIndhbGsiLCJ4eCIsMSwxXQ").status_code == 422


def test_an_empty_list_says_what_it_would_hold(viewer: Person) -> None:
    assert "No items yet" in viewer.text("/items")
    assert "No item is like that" in viewer.text("/items?q=nothing")


def test_a_page_says_first_why_the_sku_shows_what_it_shows(viewer: Person, outlet: int, contoso: int) -> None:
    execute(
        "INSERT INTO rm_stock (company_id, number, key, quantity, type, blocked, name, read_started_at)"
        " VALUES (%s, 'ABC', 'ABC', 5, 'Inventory', true, 'Lamp', now())",
        (contoso,),
    )
    page = viewer.text(f"/items/{stocked(outlet, 'abc', bc=5, shown=3, safety=2)}")

    assert "Outlet shows 3, as it should: Business Central has 5, less a safety stock of 2." in page
    assert "item ABC, Lamp: 5, type Inventory, blocked" in page
    assert 'The shop was read <time datetime="2026-03-19T02:15:23.000Z">' in page
    assert "T02:15:20" not in page, "a read that changed nothing is a read, too"


def test_what_is_left_alone_says_why_and_what_to_do(viewer: Person, outlet: int) -> None:
    page = viewer.text(f"/items/{item(outlet, 'WHO', skip_reason='unknown', shown=7)}")

    assert "WHO is left alone in Outlet, which shows 7. Business Central has no item of this number." in page
    assert "Correct the SKU in the shop" in page


def test_what_the_guard_holds_leads_to_the_held_run(viewer: Person, outlet: int) -> None:
    item_id = stocked(outlet, "ABC", bc=0, shown=3)
    run = row("INSERT INTO rm_sync_runs (site_id, status) VALUES (%s, 'held') RETURNING id", (outlet,))
    assert run is not None
    push(
        item_id,
        job("sync.compare", "completed", run_id=run[0]),
        0,
        3,
        "held",
        reason="falls_to_zero",
        run_id=run[0],
    )

    page = viewer.text(f"/items/{item_id}")

    assert "The guard holds it back" in page
    assert f'href="/runs/{run[0]}"' in page


def test_its_past_says_what_each_write_was_for(viewer: Person, outlet: int, flagship: int) -> None:
    item_id = stocked(outlet, "ABC", bc=5, shown=5, product_id=12)
    other = stocked(flagship, "abc", bc=5, shown=4)
    run = row(
        "INSERT INTO rm_sync_runs (site_id, status, requested_by) VALUES (%s, 'completed', 'schedule') RETURNING id",
        (outlet,),
    )
    assert run is not None
    push(item_id, job(run_id=run[0]), 5, 1, run_id=run[0])
    event = job("webhook.product", "completed")
    told = delivery(outlet, product_id=12, job_id=event)
    push(item_id, job(payload=f'{{"asked_by": {event}}}'), 4, 5)
    asked = job("item.sync", "completed", payload='{"requested_by": "user anna"}')
    persons = job(payload=f'{{"asked_by": {asked}}}')
    push(item_id, persons, 3, 4, "failed", reason="refused", message="SKU is locked")
    execute("UPDATE rm_items SET sent = 4, shown_before = 3, sent_at = now(), sent_by_job = %s", (persons,))
    push(item_id, job(), 2, 3)

    page = viewer.text(f"/items/{item_id}")

    assert f'for <a href="/runs/{run[0]}">sync {run[0]}</a>, asked for by schedule' in page
    assert f'<a href="/webhook-log/{told}">delivery {told}</a>' in page
    assert (
        f'<a href="/queues/jobs/{asked}">user anna</a>, who asked for this item; it showed 3 before' in page
    )
    assert "for a cause that is no longer kept" in page
    assert "SKU is locked" in page
    assert f'href="/items/{other}"' in page
    assert "data-chart" in page


def test_its_past_is_told_in_the_order_of_time_whichever_job_was_made_first(
    viewer: Person, outlet: int
) -> None:
    item_id = stocked(outlet, "ABC", bc=5, shown=5)
    push(item_id, job(), 5, 1, sent_at="2026-03-19 05:00:00+00")
    push(item_id, job(), 4, 5, sent_at="2026-03-19 03:00:00+00")

    page = viewer.text(f"/items/{item_id}")

    assert page.index("T05:00:00") < page.index("T03:00:00")
    chart = re.search(r"data-chart='([^']*)'", page)
    assert chart is not None
    times = json.loads(chart.group(1))["times"]
    assert len(times) == 2
    assert times == sorted(times)


def test_an_operator_has_one_item_synced_and_sees_the_job(operator: Person, outlet: int) -> None:
    item_id = stocked(outlet, "ABC", bc=5, shown=3)
    operator.text(f"/items/{item_id}")

    answer = operator.post(f"/items/{item_id}/sync")

    assert answer.headers["Location"] == f"/items/{item_id}"
    page = operator.text(f"/items/{item_id}")
    assert "The shop and Business Central are read now" in page
    found_job = row("SELECT id, payload ->> 'requested_by' FROM rm_queue WHERE kind = 'item.sync'")
    assert found_job is not None
    assert found_job[1] == "user operator"
    assert f'<a href="/queues/jobs/{found_job[0]}">job {found_job[0]}</a> is pending' in page
    assert rows(
        "SELECT action, actor, subject, detail ->> 'job' FROM rm_audit_log WHERE action = 'items.sync'"
    ) == [("items.sync", "operator", f"item {item_id}", str(found_job[0]))]


def test_a_viewer_sees_no_button_and_a_paused_shop_is_not_written_to(
    viewer: Person, operator: Person, outlet: int
) -> None:
    item_id = stocked(outlet, "ABC", bc=5, shown=3)
    assert "Sync this item now" not in viewer.text(f"/items/{item_id}")
    execute("UPDATE rm_sites SET active = false")
    assert "Sync this item now" not in operator.text(f"/items/{item_id}")

    operator.post(f"/items/{item_id}/sync")

    assert "Outlet is paused: make it active first." in operator.text(f"/items/{item_id}")
    assert rows("SELECT 1 FROM rm_queue") == []


def test_an_item_that_is_not_there_has_a_page_that_says_so(operator: Person) -> None:
    for answer in (operator.get("/items/77"), operator.post("/items/77/sync")):
        assert answer.status_code == 404
        assert "There is no such item" in answer.get_data(as_text=True)
