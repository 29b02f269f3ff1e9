"""Reads race: whatever order they are written in, the one that began last is what stays.

Of reads of BC that were under way at once, the one that began last may have seen less: it must be asked again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.database import execute, rows
from tests.integration.ledger.helpers import THREADS, at_once, deadlocks
from workers.clients.business_central import BcItem
from workers.clients.shop import ItemRef, ShopItem, Tracking
from workers.observations import BATCH_ROWS, record_gone, record_shop, record_stock

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS = 4
CROWD = 300  # rows that every thread writes, in an order of its own
AGAIN = 8  # times that each of the crowd writes
SETTLE_SECONDS = 60.0

# Which products a read saw, and the quantity that it saw; its place in the list is when it began.
READS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(1, PRODUCTS), st.integers(0, 3), min_size=1, max_size=PRODUCTS),
        st.booleans(),
    ),
    min_size=2,
    max_size=THREADS,
)
PROPERTY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _began(number: int) -> datetime:
    return BEGIN + timedelta(seconds=number)


def _product(product_id: int, shown: int) -> ShopItem:
    return ShopItem(ItemRef(product_id), f"SKU-{product_id}", f"shows {shown}", Tracking.PRODUCT, shown)


def _item(number: int, quantity: int) -> BcItem:
    return BcItem(f"SKU-{number}", Decimal(quantity), "Inventory", False, f"has {quantity}")


def _shown() -> dict[int, tuple[int, datetime]]:
    return {
        product: (shown, at)
        for product, shown, at in rows("SELECT product_id, shown, observed_at FROM rm_items")
    }


@PROPERTY
@given(reads=READS, order=st.randoms(use_true_random=False))
def test_of_reads_by_id_written_at_one_moment_the_one_that_began_last_stays(
    site_id: int, reads: list[tuple[dict[int, int], bool]], order: random.Random
) -> None:
    execute("TRUNCATE rm_items CASCADE")
    writes = [
        partial(
            record_shop,
            site_id,
            [_product(product, shown) for product, shown in seen.items()],
            _began(number),
            settle_seconds=SETTLE_SECONDS,
            listing=False,
        )
        for number, (seen, _) in enumerate(reads)
    ]
    order.shuffle(writes)

    _all_well(at_once(*writes))

    newest = {
        product: (shown, _began(number))
        for number, (seen, _) in enumerate(reads)
        for product, shown in seen.items()
    }
    assert _shown() == newest


@PROPERTY
@given(reads=READS, order=st.randoms(use_true_random=False))
def test_listings_and_reads_by_id_in_any_order_never_undo_what_a_newer_one_wrote(
    site_id: int, reads: list[tuple[dict[int, int], bool]], order: random.Random
) -> None:
    execute("TRUNCATE rm_items CASCADE")
    arriving = list(enumerate(reads))
    order.shuffle(arriving)
    expected: dict[int, tuple[int, datetime]] = {}

    for number, (seen, listing) in arriving:
        items = [_product(product, shown) for product, shown in seen.items()]
        record_shop(site_id, items, _began(number), settle_seconds=SETTLE_SECONDS, listing=listing)
        for product, shown in seen.items():
            known = expected.get(product)
            # A listing writes only what it changes: the version of what it confirms stays as it was.
            if known is None or (known[1] < _began(number) and not (listing and known[0] == shown)):
                expected[product] = (shown, _began(number))
        assert _shown() == expected


@PROPERTY
@given(reads=READS, order=st.randoms(use_true_random=False))
def test_of_reads_of_bc_written_at_one_moment_the_one_that_began_last_stays(
    company_id: int, reads: list[tuple[dict[int, int], bool]], order: random.Random
) -> None:
    execute("TRUNCATE rm_stock")
    writes = [
        partial(
            record_stock,
            company_id,
            [_item(product, quantity) for product, quantity in seen.items()],
            _began(number),
            _began(number + 1),
        )
        for number, (seen, _) in enumerate(reads)
    ]
    order.shuffle(writes)

    assert [end for end in at_once(*writes) if end != []] == []  # none overlapped: nothing is in dispute

    newest = {
        f"SKU-{product}": (Decimal(quantity), f"has {quantity}", _began(number))
        for number, (seen, _) in enumerate(reads)
        for product, quantity in seen.items()
    }
    found = rows("SELECT number, quantity, name, read_started_at FROM rm_stock")
    assert {number: tuple(rest) for number, *rest in found} == newest


@PROPERTY
@given(
    reads=st.lists(st.tuples(*[st.integers(0, 12)] * 3).map(sorted), min_size=2, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_of_reads_of_bc_that_overlap_none_takes_the_truth_back(
    company_id: int, reads: list[list[int]], order: random.Random
) -> None:
    """A read begins, is worked on, and ends: BC's stock, which changes every second, is what it was in between."""
    execute("TRUNCATE rm_stock")
    order.shuffle(reads)
    known = -1

    for began, worked_on, ended in reads:
        disputed = record_stock(company_id, [_item(1, worked_on)], _began(began), _began(ended))
        ((stored,),) = rows("SELECT quantity::integer FROM rm_stock")
        assert stored >= known, "what was known was newer"
        assert stored >= worked_on or disputed == ["SKU-1"], "what was read was newer, and nobody asks again"
        known = stored

    # Read once more, after all of them: this is the truth.
    assert record_stock(company_id, [_item(1, 13)], _began(13), _began(14)) == []
    assert rows("SELECT quantity::integer FROM rm_stock") == [(13,)]


def test_reads_of_bc_that_overlap_and_agree_need_no_other(company_id: int) -> None:
    assert record_stock(company_id, [_item(1, 5)], _began(0), _began(10)) == []
    assert record_stock(company_id, [_item(1, 5)], _began(5), _began(6)) == []

    assert rows("SELECT read_started_at, read_ended_at FROM rm_stock") == [(_began(5), _began(10))]


def test_a_quantity_with_more_decimals_than_are_kept_is_in_no_dispute_with_itself(company_id: int) -> None:
    fine = replace(_item(1, 0), quantity=Decimal("1.123456789"))
    assert record_stock(company_id, [fine], _began(0), _began(10)) == []
    assert record_stock(company_id, [fine], _began(0), _began(10)) == []


def test_a_product_that_was_deleted_is_not_brought_back_by_a_page_fetched_before(site_id: int) -> None:
    page = [_product(1, 5), _product(2, 5)]
    record_shop(site_id, page, _began(0), settle_seconds=SETTLE_SECONDS, listing=True)
    assert record_gone(site_id, [1], [], _began(2)) == 1

    record_shop(site_id, page, _began(1), settle_seconds=SETTLE_SECONDS, listing=True)

    assert rows("SELECT product_id, active FROM rm_items ORDER BY 1") == [(1, False), (2, True)]
    record_shop(site_id, page, _began(3), settle_seconds=SETTLE_SECONDS, listing=True)
    assert rows("SELECT product_id, active FROM rm_items ORDER BY 1") == [(1, True), (2, True)]


def test_an_old_read_that_misses_a_product_does_not_take_away_what_a_newer_one_saw(site_id: int) -> None:
    record_shop(site_id, [_product(1, 5)], _began(2), settle_seconds=SETTLE_SECONDS, listing=False)

    assert record_gone(site_id, [1], [], _began(1)) == 0

    assert rows("SELECT active FROM rm_items") == [(True,)]


def test_of_a_product_in_two_batches_the_last_write_counts_as_in_flight(site_id: int) -> None:
    """Else the confirming read would leave out the variant that was written last."""
    variants = [
        ShopItem(ItemRef(1, number), f"SKU-{number}", "a shirt", Tracking.VARIANT, 5)
        for number in range(1, BATCH_ROWS + 2)
    ]
    record_shop(site_id, variants, _began(0), settle_seconds=SETTLE_SECONDS, listing=True)
    earlier, later = int(_began(10).timestamp()), int(_began(20).timestamp())
    execute(
        "UPDATE rm_items SET shown = 6, sent = 6, shown_before = 5,"
        " sent_at = to_timestamp(CASE WHEN variant_id = 1 THEN %s ELSE %s END)"
        " WHERE variant_id IN (1, %s)",
        (later, earlier, BATCH_ROWS + 1),
    )

    observed = record_shop(site_id, variants, _began(30), settle_seconds=SETTLE_SECONDS, listing=True)

    assert observed.flying == {1: later}


def test_a_crowd_that_writes_the_same_rows_in_every_order_ends_without_a_deadlock(
    company_id: int, site_id: int
) -> None:
    def shop(number: int) -> None:
        items = [_product(product, number) for product in _shuffled(number)]
        for again in range(AGAIN):
            began = _began(number + again * THREADS)
            if number % 4 == 3:
                record_gone(site_id, _shuffled(number), [ItemRef(1)], began)
            else:
                record_shop(
                    site_id,
                    [replace(item, shown=number + again) for item in items],
                    began,
                    settle_seconds=SETTLE_SECONDS,
                    listing=number % 2 == 0,
                )

    def stock(number: int) -> None:
        for again in range(AGAIN):
            items = [_item(product, number + again) for product in _shuffled(number)]
            began = _began(number + again * THREADS)
            record_stock(company_id, items, began, began)

    record_shop(
        site_id,
        [_product(product, 0) for product in _shuffled(0)],
        BEGIN - timedelta(1),
        settle_seconds=SETTLE_SECONDS,
        listing=False,
    )
    crowd: list[Callable[[], None]] = [partial(shop, number) for number in range(THREADS)]
    crowd += [partial(stock, number) for number in range(4)]

    _all_well(at_once(*crowd))

    assert rows("SELECT count(*) FROM rm_items") == [(CROWD,)]
    assert rows("SELECT count(*), min(read_started_at), max(quantity) FROM rm_stock") == [
        (CROWD, _began(3 + (AGAIN - 1) * THREADS), 3 + AGAIN - 1)
    ]
    assert deadlocks() == 0


def _shuffled(seed: int) -> list[int]:
    products = list(range(1, CROWD + 1))
    random.Random(seed).shuffle(products)
    return products


def _all_well(ends: list[object]) -> None:
    faults = [end for end in ends if isinstance(end, BaseException)]
    assert faults == []
