"""A vendor that answers nothing but errors for as long as anyone tries: the run ends, and says what to fix."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.database import execute, row
from tests.acceptance.trouble import (
    RUN_SECONDS,
    Town,
    ask_for_all,
    assert_all_right,
    assert_shops_right,
    quicken,
    town,
)
from tests.fleet import Fleet
from tests.places import wait_for_run
from tests.simulators.handles import SimulatorHandle

# Eight attempts take minutes; what comes after the last of two is the same.
FEW_ATTEMPTS = """
    CREATE FUNCTION few_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.max_attempts := 2; RETURN NEW; END $$;
    CREATE TRIGGER few_attempts BEFORE INSERT ON rm_queue FOR EACH ROW EXECUTE FUNCTION few_attempts();
"""
ERROR = "500 Internal Server Error"


@pytest.fixture
def place(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """Two shops and a fleet that gives up early."""
    execute(FEW_ATTEMPTS)
    with Fleet(quicken(environment, monkeypatch)), town(1_500, 300) as found:
        yield found


def fail_always(vendor: SimulatorHandle, kind: str, route: str = "*") -> None:
    """Every call fails in this way, until told otherwise."""
    vendor.set_faults(rules=[{"route": route, "kind": kind, "count": None}])


def test_a_failing_shop_fails_alone_and_is_right_once_it_is_mended(place: Town) -> None:
    broken, healthy = place.shops
    fail_always(broken, "500")

    failed, completed = (wait_for_run(run_id, RUN_SECONDS) for run_id in ask_for_all())

    assert (completed.status, completed.error) == ("completed", None)
    assert_shops_right([healthy])
    assert failed.status == "failed"
    assert (failed.error or "").startswith("the shop could not be read: BigCommerce")
    assert ERROR in (failed.error or "")
    assert broken.writes() == []
    broken.set_faults()
    assert_all_right(place.shops, ask_for_all())


def test_without_bc_the_shops_stay_as_they_were_until_it_is_back(place: Town) -> None:
    assert_all_right(place.shops, ask_for_all())
    active = row("SELECT count(*) FROM rm_items WHERE active")
    key = next(found["key"] for found in place.shops[0].truth() if found["expected"])
    place.simulators.bc.set_stock({key: 7_654})
    for shop in place.shops:
        shop.forget_writes()
    fail_always(place.simulators.bc, "500", "GET *")  # Microsoft's token endpoint is another server

    runs = [wait_for_run(run_id, RUN_SECONDS) for run_id in ask_for_all()]

    for run in runs:
        assert run.status == "failed"
        assert (run.error or "").startswith("Business Central could not be read: Business Central")
        assert ERROR in (run.error or "")
    assert [shop.writes() for shop in place.shops] == [[], []]
    assert row("SELECT count(*) FROM rm_items WHERE active") == active
    place.simulators.bc.set_faults()
    assert_all_right(place.shops, ask_for_all())
    assert any(write["quantity"] == 7_654 for write in place.shops[0].writes())
