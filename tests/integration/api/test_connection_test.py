"""`test` of a site and a company: both ends are really called, and one line says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from models import config
from models.company import Company
from models.database import execute
from models.site import Site
from tests import places
from tests.integration.api.conftest import Caller
from tests.simulators.process import Simulators


@pytest.fixture(scope="module")
def world() -> Iterator[Simulators]:
    with Simulators.start(bc_items=20, bigcommerce_skus=20, woocommerce_skus=20) as running:
        yield running


@pytest.fixture
def bc(database: str, world: Simulators) -> Company:
    return places.company(world.bc)


@pytest.fixture
def big(bc: Company, world: Simulators) -> Site:
    return places.bigcommerce_site(bc, world.bigcommerce[0], active=False)


@pytest.fixture
def woo(bc: Company, world: Simulators) -> Site:
    return places.woocommerce_site(bc, world.woocommerce[0], active=False)


def _tested(admin: Caller, site: Site) -> dict[str, Any]:
    answer = admin.post(f"sites/{site.id}/test")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def _set(table: str, **columns: Any) -> None:
    for name, value in columns.items():
        execute(f"UPDATE {table} SET {name} = %s", (value,))


def test_right_settings_pass_at_both_ends(admin: Caller, big: Site, woo: Site) -> None:
    for site in (big, woo):
        found = _tested(admin, site)

        assert found["ok"] is True, found
        assert found["verdict"] == f"All {len(found['checks'])} checks passed."
        names = [check["name"] for check in found["checks"]]
        assert names[:3] == ["token", "company", "items"]
        assert len(names) > 3


def test_a_company_is_tested_alone(admin: Caller, bc: Company) -> None:
    found = admin.post(f"companies/{bc.id}/test").get_json()

    assert (found["ok"], [check["name"] for check in found["checks"]]) == (
        True,
        ["token", "company", "items"],
    )


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"client_secret": "wrong"}, "client_secret", "secret"),
        ({"client_id": "nobody"}, "client_id", ""),
        ({"company_id": "00000000-0000-0000-0000-000000000000"}, "company_id", "no company with this id"),
        ({"api_url": "http://127.0.0.1:1/api/v2.0"}, "api_url", "refused"),
        ({"token_url": "http://no-such-host.invalid/token"}, "token_url", "DNS"),
        ({"client_secret": None}, "client_secret", "not set"),
    ],
)
def test_what_is_wrong_with_a_company_is_named(
    admin: Caller, bc: Company, big: Site, change: dict[str, Any], field: str, words: str
) -> None:
    answer = admin.patch(f"companies/{bc.id}", change)
    assert answer.status_code == 200, answer.get_json()

    found = _tested(admin, big)

    assert found["ok"] is False
    assert found["verdict"].startswith(f"company.{field}: "), found
    assert words in found["verdict"]
    assert "\n" not in found["verdict"]


def test_an_expired_secret_is_told_from_a_wrong_one(admin: Caller, bc: Company, world: Simulators) -> None:
    world.bc.configure(secret_expired=True)
    try:
        found = admin.post(f"companies/{bc.id}/test").get_json()
    finally:
        world.bc.configure(secret_expired=False)

    assert found["verdict"].startswith("client_secret: ")
    assert "expired" in found["verdict"]


def test_a_missing_permission_is_named(admin: Caller, bc: Company, world: Simulators) -> None:
    world.bc.configure(permitted=False)
    try:
        found = admin.post(f"companies/{bc.id}/test").get_json()
    finally:
        world.bc.configure(permitted=True)

    assert found["ok"] is False
    assert "permission" in found["verdict"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"access_token": "wrong"}, "access_token", "token"),
        ({"access_token": None}, "access_token", "not set"),
        ({"store_hash": "nobody"}, None, ""),
        ({"channel_ids": [999]}, "channel_ids", "choose from"),
        ({"location_id": 999}, "location_id", ""),
        ({"api_url": "http://127.0.0.1:1"}, "api_url", "refused"),
    ],
)
def test_what_is_wrong_with_a_bigcommerce_site_is_named(
    admin: Caller, big: Site, change: dict[str, Any], field: str | None, words: str
) -> None:
    assert admin.patch(f"sites/{big.id}", change).status_code == 200

    found = _tested(admin, big)

    wrong = [check for check in found["checks"] if not check["ok"]]
    assert wrong, found
    assert field in (None, wrong[0]["field"])
    assert words in found["verdict"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"consumer_secret": "cs_wrong"}, "consumer_secret", ""),
        ({"consumer_key": "ck_wrong"}, "consumer_key", ""),
        ({"consumer_key": None}, "consumer_key", "not set"),
        ({"url": "http://no-such-host.invalid"}, "url", "DNS"),
    ],
)
def test_what_is_wrong_with_a_woocommerce_site_is_named(
    admin: Caller, woo: Site, change: dict[str, Any], field: str, words: str
) -> None:
    assert admin.patch(f"sites/{woo.id}", change).status_code == 200

    found = _tested(admin, woo)

    wrong = [check for check in found["checks"] if not check["ok"]]
    assert [check["field"] for check in wrong][:1] == [field], found
    assert words in found["verdict"]


@pytest.mark.parametrize(
    ("fault", "healed", "words"),
    [
        ({"stock_managed": False}, {"stock_managed": True}, "stock management"),
        ({"redirect_to": "https://www.example.com"}, {"redirect_to": ""}, "redirect"),
    ],
)
def test_a_shop_that_cannot_be_written_is_told(
    admin: Caller, woo: Site, world: Simulators, fault: dict[str, Any], healed: dict[str, Any], words: str
) -> None:
    world.woocommerce[0].configure(**fault)
    try:
        found = _tested(admin, woo)
    finally:
        world.woocommerce[0].configure(**healed)

    assert found["ok"] is False
    assert words in found["verdict"]


def test_keys_that_cannot_decrypt_are_named_with_the_fix(
    admin: Caller, big: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", Fernet.generate_key().decode())
    config.settings.cache_clear()

    found = _tested(admin, big)

    assert [check["field"] for check in found["checks"]] == ["company.client_secret", "access_token"]
    assert all("ENCRYPTION_KEYS" in check["message"] for check in found["checks"])
    assert admin.get("sites").status_code == 200


def test_the_channels_and_locations_of_a_store_are_offered(admin: Caller, big: Site, woo: Site) -> None:
    channels = admin.get(f"sites/{big.id}/channels").get_json()
    locations = admin.get(f"sites/{big.id}/locations").get_json()

    assert {"id", "name", "enabled"} == set(channels["items"][0])
    assert any(not one["enabled"] for one in locations["items"])
    assert admin.get(f"sites/{woo.id}/channels").status_code == 409


def test_a_store_that_does_not_answer_gives_a_502(admin: Caller, big: Site) -> None:
    admin.patch(f"sites/{big.id}", {"access_token": "wrong"})

    answer = admin.get(f"sites/{big.id}/channels")

    assert (answer.status_code, answer.get_json()["code"]) == (502, "remote_failed")
