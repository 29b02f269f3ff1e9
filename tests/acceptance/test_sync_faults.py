"""What vendors do wrong in the middle of a sync, and what stands at its end."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from tests.acceptance.trouble import (
    BIGCOMMERCE_WRITE,
    LATE_SECONDS,
    WOOCOMMERCE_WRITES,
    Town,
    ask_for_all,
    assert_all_right,
    quicken,
    town,
)
from tests.fleet import Fleet
from tests.simulators.handles import ShopHandle, WooCommerceHandle


@pytest.fixture
def fleet(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """One sync worker and one dispatcher, with short leases."""
    with Fleet(quicken(environment, monkeypatch)) as running:
        yield running


@pytest.fixture
def place(fleet: Fleet) -> Iterator[Town]:
    """Two shops that the fleet syncs."""
    with town(woocommerce_skus=400) as found:
        yield found


def assert_read_after_the_unanswered(shop: ShopHandle, route: str, kind: str) -> None:
    """What got no answer was a stock write, and the shop was read again after it."""
    # By their beginnings: a call whose answer is held back may be noted after the read that followed it.
    calls = sorted(shop.requests_seen(), key=lambda call: float(call["at"]))
    seen = [call for call in calls if call["status"] != 200 or call["route"].startswith("GET")]
    lost = [place for place, call in enumerate(seen) if call["status"] == kind]
    assert lost
    assert all(fnmatchcase(seen[place]["route"], route) for place in lost)
    read_after = [call["route"] for call in seen[lost[-1] + 1 :] if call["status"] == 200]
    assert read_after, f"{shop.name} was not read after its last {kind}"


@pytest.mark.parametrize("kind", ["apply_late", "apply_then_reset"])
def test_writes_without_an_answer_are_read_again_before_they_are_repeated(place: Town, kind: str) -> None:
    for shop, route in zip(place.shops, (BIGCOMMERCE_WRITE, WOOCOMMERCE_WRITES), strict=True):
        rules = [{"route": route, "kind": kind, "nth": nth} for nth in (1, 3)]
        shop.set_faults(rules=rules, late_seconds=LATE_SECONDS)

    assert_all_right(place.shops, ask_for_all())

    for shop, route in zip(place.shops, (BIGCOMMERCE_WRITE, WOOCOMMERCE_WRITES), strict=True):
        assert shop.counts()["faults"].get(kind, 0) >= 1  # or nothing was tried
        assert_read_after_the_unanswered(shop, route, kind)
        if kind == "apply_late" and isinstance(shop, WooCommerceHandle):
            continue  # read again at once, as a rule before the late write: the same quantity is sent once more
        # What was applied although no answer came is not written a second time.
        written = [
            (write["product_id"], write.get("variant_id"), write.get("variation_id"))
            for write in shop.writes()
        ]
        assert len(written) == len(set(written))
