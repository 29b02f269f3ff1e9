"""A worker that has been told to end begins no further call, and gives back what it does not end."""

from __future__ import annotations

import threading

import pytest

from models.database import row
from tests.integration.ledger.helpers import add, company, site
from workers import handing_back, ledger, stopping
from workers.errors import LeaseLost, MustWait
from workers.jobs import Claim, Done, NewJob
from workers.leases import heartbeat
from workers.limits import bigcommerce_gate, business_central_gate, woocommerce_gate


@pytest.fixture(autouse=True)
def _only_this_test_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_ending", threading.Event())


@pytest.mark.parametrize("vendor", ["Business Central", "BigCommerce", "WooCommerce"])
def test_no_call_to_a_vendor_begins_after_the_word_to_end(vendor: str, database: str) -> None:
    gates = {
        "Business Central": business_central_gate("https://token.example", "client"),
        "BigCommerce": bigcommerce_gate("https://api.example", "abc"),
        "WooCommerce": woocommerce_gate("https://shop.example"),
    }
    with gates[vendor].enter("any", False):
        stopping.begin()  # the call under way goes on

    with pytest.raises(MustWait) as refused, gates[vendor].enter("any", False):
        pytest.fail("a call was begun")
    assert refused.value.seconds == 0


def test_what_is_given_back_is_due_at_once_and_costs_no_attempt(database: str) -> None:
    claim = claimed(NewJob("test"))
    with heartbeat.holding(claim):
        assert handing_back.give_back(heartbeat.held()) == 1

    assert row(
        "SELECT status, attempts, lease_token, available_at <= now() FROM rm_queue WHERE id = %s",
        (claim.id,),
    ) == ("pending", 0, None, True)


def test_its_store_is_free_for_the_next_writer(database: str) -> None:
    shop = site(company(), store_key="woocommerce:x")
    claim = claimed(NewJob("test", site_id=shop, store_key="woocommerce:x"))
    assert row("SELECT count(*) FROM rm_store_leases") == (1,)

    handing_back.give_back([claim])

    assert row("SELECT count(*) FROM rm_store_leases") == (0,)


def test_whoever_was_late_can_end_the_job_no_more(database: str) -> None:
    claim = claimed(NewJob("test"))
    handing_back.give_back([claim])

    with pytest.raises(LeaseLost):
        ledger.complete(claim, Done())


def test_a_job_that_has_ended_is_not_given_back(database: str) -> None:
    ended, held = claimed(NewJob("test")), claimed(NewJob("test"))
    ledger.complete(ended, Done())

    assert handing_back.give_back([ended, held]) == 1
    assert row("SELECT status FROM rm_queue WHERE id = %s", (ended.id,)) == ("completed",)


def claimed(job: NewJob) -> Claim:
    """A job that this process holds."""
    (job_id,) = add(job)
    claim = ledger.claim(job_id)
    assert claim is not None
    return claim
