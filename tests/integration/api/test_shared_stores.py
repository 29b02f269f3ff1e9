"""Two sites of one store: only with channels of their own, also when both are asked for at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from models.company import Company
from models.database import rows
from tests.integration.api.bodies import bigcommerce, faults, refused, woocommerce
from tests.integration.api.conftest import Caller


def _second(owner: Company, **changes: Any) -> dict[str, Any]:
    return bigcommerce(owner.id, name="Second", active=False, **changes)


def _first(admin: Caller, owner: Company, channels: list[int]) -> int:
    body = bigcommerce(owner.id, name="First", active=False, channel_ids=channels)
    return int(admin.post("sites", body).get_json()["id"])


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ([], [], "store_taken"),
        ([1], [], "store_taken"),
        ([], [2], "store_taken"),
        ([1, 2], [2, 3], "channels_taken"),
    ],
)
def test_channels_that_are_missing_or_shared_are_a_conflict(
    admin: Caller, owner: Company, first: list[int], second: list[int], code: str
) -> None:
    _first(admin, owner, first)

    answer = admin.post("sites", _second(owner, channel_ids=second, store_hash="ABC123"))

    assert refused(answer, 409, code)
    assert list(faults(answer)) == ["channel_ids"]


def test_channels_of_their_own_let_two_sites_share_a_store(admin: Caller, owner: Company) -> None:
    _first(admin, owner, [1])

    assert admin.post("sites", _second(owner, channel_ids=[2, 3, 2])).get_json()["channel_ids"] == [2, 3]


def test_a_change_of_channels_or_store_is_held_to_the_same_rule(admin: Caller, owner: Company) -> None:
    first = _first(admin, owner, [1])
    second = admin.post("sites", _second(owner, channel_ids=[2])).get_json()["id"]
    third = admin.post(
        "sites", bigcommerce(owner.id, name="Third", store_hash="else", active=False)
    ).get_json()

    assert refused(admin.patch(f"sites/{second}", {"channel_ids": [1]}), 409, "channels_taken")
    assert refused(admin.patch(f"sites/{second}", {"channel_ids": []}), 409, "store_taken")
    assert refused(admin.patch(f"sites/{third['id']}", {"store_hash": "abc123"}), 409, "store_taken")
    assert admin.patch(f"sites/{first}", {"channel_ids": [1, 9]}).status_code == 200


def test_a_woocommerce_shop_has_one_site_however_its_address_is_written(
    admin: Caller, owner: Company
) -> None:
    assert admin.post("sites", woocommerce(owner.id, active=False)).status_code == 201

    for url in ("http://shop.example.com", "https://SHOP.example.com:443/", "https://shop.example.com."):
        answer = admin.post("sites", woocommerce(owner.id, name="Second", url=url))
        assert refused(answer, 409, "store_taken")
        assert list(faults(answer)) == ["url"]

    other = woocommerce(owner.id, name="Second", url="https://shop.example.com/outlet", active=False)
    assert admin.post("sites", other).status_code == 201


def test_of_two_requests_at_once_one_gets_the_store(app: Flask, admin: Caller, owner: Company) -> None:
    together = threading.Barrier(6)

    def ask(number: int) -> int:
        body = bigcommerce(owner.id, name=f"Racer {number}", active=False)
        with app.test_client() as client:
            together.wait()
            headers = {"Authorization": f"Bearer {admin.token}"}
            return client.post("/api/v1/sites", json=body, headers=headers).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(ask, range(6)))

    assert statuses == [201, 409, 409, 409, 409, 409]
    assert rows("SELECT count(*) FROM rm_sites") == [(1,)]
