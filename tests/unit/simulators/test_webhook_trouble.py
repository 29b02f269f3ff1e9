"""What can go wrong on a webhook's way, on purpose, and what tests can ask of the sending."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.simulators.handles import BigCommerceHandle, ControlError
from tests.simulators.webhooks.mode import Mode

from .conftest import Caller
from .receiver import Received, Receiver

UPDATED = "store/product/updated"


@pytest.fixture(autouse=True)
def nothing_left(store: BigCommerceHandle) -> Iterator[None]:
    store.configure(quota=100_000, landing=[0, 0])
    yield
    store.forget_hooks()


def change(store: BigCommerceHandle, count: int) -> list[int]:
    """Changes so many products one after the other; their ids in that order."""
    products = sorted({row["product_id"] for row in store.truth()})[:count]
    for product in products:
        store.change_product(product, is_visible=True)
    return products


def ids(requests: list[Received]) -> list[int]:
    return [request.json["data"]["id"] for request in requests]


def test_a_duplicate_is_the_same_byte_for_byte(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.add_hook(UPDATED, receiver.url)
    store.webhooks_mode(duplicate_share=1)
    changed = change(store, 5)
    store.wait_quiet()
    sent = Counter((request.body, tuple(request.headers.items())) for request in receiver.received())
    assert set(sent.values()) == {2}
    assert sorted(ids(receiver.received())) == sorted(changed * 2)


def test_what_is_dropped_never_arrives_but_stands_in_the_record(
    store: BigCommerceHandle, receiver: Receiver
) -> None:
    hook = store.add_hook(UPDATED, receiver.url)
    store.webhooks_mode(drop_share=0.5, seed=3)
    changed = change(store, 20)
    store.wait_quiet()
    dropped = [delivery for delivery in store.deliveries(hook_id=hook) if delivery.error == "dropped"]
    arrived = ids(receiver.received())
    assert 3 < len(dropped) < 17
    assert sorted(arrived + [delivery.ids["product_id"] for delivery in dropped]) == changed


def test_reordered_webhooks_arrive_after_later_ones(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.add_hook(UPDATED, receiver.url)
    store.webhooks_mode(reorder_share=0.5, seed=3)
    changed = change(store, 20)
    store.wait_quiet()
    arrived = ids(receiver.received())
    assert sorted(arrived) == changed
    assert arrived != changed


def test_a_delay_holds_back_what_was_already_written(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.add_hook(UPDATED, receiver.url)
    store.webhooks_mode(delay_seconds=1.2)
    store.emit(UPDATED, product_id=1)
    change(store, 1)
    store.wait_quiet()
    emitted, late = receiver.received()
    assert emitted.json["data"]["id"] == 1  # what a test emits goes at once
    assert late.at - int(late.headers["webhook-timestamp"]) >= 1.2


def test_the_fates_are_repeated_by_their_seed_and_one_share_does_not_move_another() -> None:
    plain, reordered = (Mode(duplicate_share=0.3, reorder_share=share, seed=9) for share in (0, 0.5))
    first = [plain.draw().duplicated for _ in range(300)]
    assert first == [reordered.draw().duplicated for _ in range(300)]
    assert 60 < sum(first) < 120
    with pytest.raises(ValueError, match="drop_share must be from 0 to 1"):
        Mode(drop_share=2)


def test_deliveries_can_be_sent_again_as_they_were(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.add_hook(UPDATED, receiver.url)
    for product in (1, 2, 3):
        store.emit(UPDATED, product_id=product)
        store.wait_quiet()
    first, _, third = store.deliveries(full=True)
    assert store.deliver_again(last=2) == 2
    store.wait_quiet()
    assert store.deliver_again(number=first.number) == 1
    store.wait_quiet()
    assert sorted(ids(receiver.received()[3:5])) == [2, 3]
    again = receiver.received()[5]
    original = receiver.received()[0]
    assert (again.body, again.headers) == (original.body, original.headers)
    assert (first.body.encode(), first.headers["webhook-id"]) == (again.body, again.headers["webhook-id"])
    assert [d.kind for d in store.deliveries(start=third.number + 1)] == ["again"] * 3
    with pytest.raises(ControlError, match="no delivery 999999"):
        store.deliver_again(number=999_999)


def test_the_record_says_what_was_sent_when_and_what_came_back(
    store: BigCommerceHandle, receiver: Receiver
) -> None:
    receiver.status = 201
    hook = store.add_hook(UPDATED, f"{receiver.url}/here")
    store.emit(UPDATED, product_id=5)
    store.wait_quiet()
    (delivery,) = store.deliveries(topic=UPDATED)
    (request,) = receiver.received()
    assert (delivery.hook_id, delivery.status, delivery.attempt) == (hook, 201, 1)
    assert (delivery.ids, delivery.url) == ({"product_id": 5}, f"{receiver.url}/here")
    assert delivery.sent_at <= request.at <= delivery.sent_at + delivery.seconds + 0.05
    assert (delivery.headers, delivery.body) == ({}, "")
    assert store.deliveries(topic="store/sku/updated") == []


def test_waiting_for_quiet_says_what_is_on_its_way(store: BigCommerceHandle, receiver: Receiver) -> None:
    store.add_hook(UPDATED, receiver.url)
    receiver.hold()
    store.emit(UPDATED, product_id=5)
    with pytest.raises(ControlError, match="'first': 1, 'retry': 0"):
        store.wait_quiet(timeout=0.2)
    receiver.let_go()
    store.wait_quiet()
    assert store.webhooks_pending() == {"first": 0, "retry": 0}


def test_a_burst_of_echoes_waits_for_nobody_and_holds_nobody_up(
    store: BigCommerceHandle, store_api: Caller, receiver: Receiver
) -> None:
    rows = [row for row in store.truth() if row["shown"] is not None and not row["reasons"]]
    items = [
        {
            "location_id": 7,
            "quantity": row["shown"] + 1,
            **(
                {"variant_id": row["variant_id"]}
                if "variant_id" in row
                else {"product_id": row["product_id"]}
            ),
        }
        for row in rows
    ]
    with Receiver() as slow:
        slow.hold()
        store.add_hook("store/sku/inventory/updated", slow.url)
        store.add_hook("store/product/inventory/updated", slow.url)
        answer = store_api.send("PUT", "/inventory/adjustments/absolute", {"reason": "x", "items": items})
        assert answer.status_code == 200
        assert store.webhooks_pending()["first"] == len(items) > 200
        assert store_api.get("/catalog/products", limit=1).status_code == 200
        slow.let_go()
        store.wait_quiet()
        assert len(slow.received()) == len(items)


def test_some_held_deliveries_leave_the_others_free(store: BigCommerceHandle, receiver: Receiver) -> None:
    with Receiver() as slow:
        slow.hold()
        held = store.add_hook(UPDATED, slow.url)
        store.add_hook(UPDATED, receiver.url)
        for product in range(10):
            store.emit(UPDATED, product_id=product + 1)
        receiver.wait_for(10)
        assert sorted(ids(receiver.received())) == list(range(1, 11))
        assert store.deliveries(hook_id=held) == []


def test_nobody_in_the_world_is_ever_called(store: BigCommerceHandle) -> None:
    store.add_hook(UPDATED, "https://8.8.8.8/webhooks")
    store.emit(UPDATED, product_id=1)
    store.wait_quiet(retries=False)
    (delivery,) = store.deliveries()
    assert delivery.status is None
    assert delivery.error.startswith("not sent: 8.8.8.8")
