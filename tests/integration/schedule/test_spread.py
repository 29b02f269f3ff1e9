"""A night of many sites: one read of Business Central a company, and no vendor or worker hit by all at once."""

from __future__ import annotations

import pytest

from models.company import Company
from models.database import execute, row, rows
from tests.integration.schedule.conftest import made_company
from tests.integration.schedule.nights import check_at, site, utc
from workers.full_sync import spread
from workers.full_sync.requests import request_sync

EVENING = utc("2026-06-01 20:00")
TWO = utc("2026-06-02 02:00")
MANY = 45


def waits() -> dict[int, float]:
    """site -> seconds from the night's decision to the start of its run."""
    return {
        site_id: float(seconds)
        for site_id, seconds in rows(
            "SELECT site_id, extract(epoch FROM available_at - created_at) FROM rm_queue WHERE kind = 'sync.start'"
        )
    }


def test_hundreds_would_be_listed_one_after_another_and_all_share_a_read_at_once(owner: Company) -> None:
    other = made_company("Fabrikam")
    made = [site((owner, other)[number % 2], f"shop-{number}") for number in range(MANY)]

    check_at([EVENING, TWO])

    found = waits()
    assert sorted(found) == sorted(made)
    assert sorted(found.values()) == pytest.approx(spread.places(MANY))
    assert rows("SELECT company_id, status FROM rm_stock_refreshes ORDER BY company_id") == [
        (owner.id, "waiting"),
        (other.id, "waiting"),
    ]
    shared = rows(
        "SELECT f.company_id = s.company_id, count(*) FROM rm_sync_runs r JOIN rm_sites s ON s.id = r.site_id"
        " JOIN rm_stock_refreshes f ON f.id = r.refresh_id GROUP BY 1"
    )
    assert shared == [(True, MANY)]
    assert rows(
        "SELECT count(*), bool_and(available_at <= now()) FROM rm_queue WHERE kind = 'stock.refresh'"
    ) == [(2, True)]


def test_sites_with_their_own_time_share_the_read_of_a_night_at_the_same_time(owner: Company) -> None:
    for name, own in (("common", None), ("own", "02:00"), ("own-too", "02:00")):
        site(owner, name, full_sync_time=own)

    check_at([EVENING, TWO])

    assert rows("SELECT count(DISTINCT refresh_id), count(*) FROM rm_sync_runs") == [(1, 3)]


def test_a_few_sites_begin_together(owner: Company) -> None:
    for number in range(spread.AT_ONCE):
        site(owner, f"shop-{number}")

    check_at([EVENING, TWO])

    assert set(waits().values()) == {0.0}


def test_sites_of_one_store_are_not_listed_side_by_side(owner: Company) -> None:
    twins = [site(owner, f"channel-{number}", store_key="bigcommerce:abc") for number in range(2)]
    others = [site(owner, f"shop-{number}") for number in range(spread.AT_ONCE)]

    check_at([EVENING, TWO])

    found = waits()
    assert found[twins[0]] == 0.0
    assert found[twins[1]] == max(found.values()) > 0.0
    assert max(found[other] for other in others) < found[twins[1]]


def test_a_night_caught_up_after_an_outage_is_spread_as_well(owner: Company) -> None:
    for number in range(spread.AT_ONCE + 3):
        site(owner, f"shop-{number}")

    check_at([EVENING, utc("2026-06-02 02:40")])

    assert sorted(waits().values())[-3:] == pytest.approx([2.0, 4.0, 6.0])


def test_a_person_does_not_wait_for_a_run_that_waits_for_its_turn(owner: Company) -> None:
    made = [site(owner, f"shop-{number}") for number in range(spread.AT_ONCE + 5)]
    check_at([EVENING, TWO])
    last, before = made[-1], waits()

    joined = request_sync(last, requested_by="a person")

    assert joined.joined
    assert row("SELECT available_at <= now() FROM rm_queue WHERE id = %s", (joined.job_id,)) == (True,)
    assert {site_id: wait for site_id, wait in waits().items() if site_id != last} == {
        site_id: wait for site_id, wait in before.items() if site_id != last
    }


def test_a_person_who_comes_after_the_read_of_a_night_hurries_the_run_ahead_and_not_their_own(
    owner: Company,
) -> None:
    made = [site(owner, f"shop-{number}") for number in range(spread.AT_ONCE + 5)]
    check_at([EVENING, TWO])
    execute("UPDATE rm_stock_refreshes SET status = 'reading', read_started_at = now()")
    execute("UPDATE rm_sync_runs SET status = 'running', started_at = now()")

    asked = request_sync(made[-1], requested_by="a person")

    assert asked.queued_behind is not None
    due = "SELECT available_at <= now() FROM rm_queue WHERE unique_key = %s"
    assert row(due, (f"run:{asked.queued_behind}:start",)) == (True,)
    assert row(due, (f"run:{asked.run_id}:start",)) == (False,)


def test_what_waits_for_its_vendor_is_not_hurried(owner: Company) -> None:
    shop = site(owner, "shop")
    check_at([EVENING, TWO])
    execute(
        "UPDATE rm_queue SET available_at = now() + interval '1 hour', error = 'HTTP 429' WHERE site_id = %s",
        (shop,),
    )

    asked = request_sync(shop, requested_by="a person")

    assert row("SELECT available_at <= now() FROM rm_queue WHERE id = %s", (asked.job_id,)) == (False,)
