"""Sites over REST: made, changed and deleted by the rules of each platform."""

from __future__ import annotations

from typing import Any

import pytest

from models.company import Company
from models.database import execute, row, rows, session
from models.site import Site
from tests.integration.api.bodies import SECRETS, bigcommerce, company, faults, refused, woocommerce
from tests.integration.api.conftest import Caller
from tests.places import delete_what_leaves


def _item(site_id: int, product_id: int = 1) -> None:
    execute(
        "INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, tracking, observed_at)"
        " VALUES (%s, %s, 'A', 'A', 'A', 'product', now())",
        (site_id, product_id),
    )


def _runs(site_id: int) -> list[tuple[Any, ...]]:
    return rows("SELECT status, requested_by, request_id FROM rm_sync_runs WHERE site_id = %s", (site_id,))


def test_a_bigcommerce_site_is_made_with_defaults_and_without_its_secrets(
    admin: Caller, owner: Company
) -> None:
    made = admin.post("sites", bigcommerce(owner.id, active=False))

    assert made.status_code == 201
    shown = made.get_json()
    for time in ("created_at", "updated_at"):
        assert shown.pop(time).endswith("Z")
    assert shown == {
        "id": shown["id"],
        "name": "Contoso US",
        "platform": "bigcommerce",
        "company": owner.id,
        "active": False,
        "store_hash": "abc123",
        "access_token_set": True,
        "channel_ids": [],
        "location_id": None,
        "api_url": "https://api.bigcommerce.com",
        "webhook_secret_set": False,
        "webhook_secret_previous_until": None,
        "webhook_header_value_set": False,
        "webhook_proofs": ["signature"],
        "safety_stock": 0,
        "location_codes": [],
        "full_sync_enabled": True,
        "full_sync_time": None,
        "last_synced_at": None,
    }


def test_a_woocommerce_site_gets_a_webhook_secret_in_hex(admin: Caller, owner: Company) -> None:
    made = admin.post("sites", woocommerce(owner.id, active=False, webhook_secret=None)).get_json()

    assert made["webhook_secret_set"] is True
    assert made["url"] == "https://shop.example.com"
    with session():
        secret = Site.get_by_id(made["id"]).webhook_secret.reveal()
    assert len(bytes.fromhex(secret)) == 32


def test_a_webhook_secret_that_is_given_is_kept(admin: Caller, owner: Company) -> None:
    body = woocommerce(owner.id, active=False, webhook_secret=SECRETS["webhook_secret"])
    made = admin.post("sites", body).get_json()

    with session():
        assert Site.get_by_id(made["id"]).webhook_secret.reveal() == SECRETS["webhook_secret"]


def test_an_active_site_starts_its_first_sync_under_the_same_request(admin: Caller, owner: Company) -> None:
    made = admin("POST", "sites", json=bigcommerce(owner.id), headers={"X-Request-ID": "first"}).get_json()

    assert _runs(made["id"]) == [("queued", "token admin token", "first")]
    assert row("SELECT request_id FROM rm_queue WHERE site_id = %s", (made["id"],)) == ("first",)


def test_a_site_that_is_made_active_is_synced_and_one_that_is_paused_is_not(
    admin: Caller, store: Site
) -> None:
    assert _runs(store.id) == []

    admin.patch(f"sites/{store.id}", {"active": True})
    assert [status for status, *_ in _runs(store.id)] == ["queued"]

    admin.patch(f"sites/{store.id}", {"active": True, "safety_stock": 1})
    admin.patch(f"sites/{store.id}", {"active": False})
    assert len(_runs(store.id)) == 1


def test_a_site_that_is_refused_leaves_nothing_behind(admin: Caller, owner: Company, store: Site) -> None:
    answer = admin.post("sites", bigcommerce(owner.id, name="Store", store_hash="other"))

    assert refused(answer, 409, "name_taken")
    assert rows("SELECT count(*) FROM rm_sync_runs") == [(0,)]
    assert rows("SELECT count(*) FROM rm_queue") == [(0,)]


def test_a_name_that_is_taken_is_told_as_such_whatever_it_is(admin: Caller, owner: Company) -> None:
    name = "rm_sites_company_id_fkey company"
    first = bigcommerce(owner.id, name=name, active=False)
    assert admin.post("sites", first).status_code == 201

    assert refused(admin.post("sites", {**first, "store_hash": "other"}), 409, "name_taken")


ANY_SITE = [
    ("name", "7", "must not be a number, and not `all`: commands would mistake it"),
    ("name", "All", "must not be a number, and not `all`: commands would mistake it"),
    ("company", 999, "there is no company with this id"),
    ("company", "1", "must be a whole number"),
    ("company", 2**40, "must be at most 2147483647"),
    ("safety_stock", -1, "must be at least 0"),
    ("safety_stock", 1_000_000_001, "must be at most 1000000000"),
    ("safety_stock", 1.5, "must be a whole number"),
    ("safety_stock", True, "must be a whole number"),
    ("location_codes", ["MAIN"], "must be empty: stock per location is not available yet"),
    ("webhook_proofs", [], "must not be empty"),
    ("webhook_proofs", ["none"], None),
    ("webhook_proofs", ["signature", "header"], "is required, since webhook_proofs lists `header`"),
    ("webhook_header_value", "with space", "must be plain letters, digits and signs, without spaces"),
    ("active", None, "must be true or false"),
]
BIGCOMMERCE = [
    ("store_hash", "a/../b", "is not in the form that is expected here"),
    ("store_hash", None, "must be text"),
    ("access_token", "ключ", "must be plain letters, digits and signs, without spaces"),
    ("channel_ids", [0], "must be at least 1"),
    ("channel_ids", 1, "must be a list"),
    ("location_id", 0, "must be at least 1"),
    ("location_id", 2**63, "must be at most 9223372036854775807"),
    ("api_url", "https://user:pass@example.com", "must not contain a user name or password"),
    ("url", "https://example.com", "is not a field here"),
]
WOOCOMMERCE = [
    ("url", "shop.example.com", "must begin with https:// or http://"),
    ("url", "https://shop example.com", None),
    ("url", "https://shop.example.com:99999", None),
    ("url", "https://☃☃..example.com", None),
    ("consumer_key", "", "must not be empty"),
    ("consumer_secret", "a\tb", "must not contain control characters"),
    ("store_hash", "abc", "is not a field here"),
]


@pytest.mark.parametrize(
    ("make", "field", "value", "message"),
    [
        *((bigcommerce, *case) for case in ANY_SITE + BIGCOMMERCE),
        *((woocommerce, *case) for case in ANY_SITE + WOOCOMMERCE),
    ],
)
def test_a_wrong_field_of_a_site_is_named(
    admin: Caller, owner: Company, make: Any, field: str, value: Any, message: str | None
) -> None:
    answer = admin.post("sites", make(owner.id, **{field: value}))

    assert refused(answer, 422, "invalid_fields")
    found = faults(answer)
    named = "webhook_header_value" if message and "webhook_proofs lists" in message else field
    assert [name.partition(".")[0] for name in found] == [named]
    assert message in (None, *found.values())
    assert rows("SELECT count(*) FROM rm_sites") == [(0,)]


@pytest.mark.parametrize(
    ("make", "field"),
    [(bigcommerce, "store_hash"), (bigcommerce, "access_token"), (woocommerce, "url"),
     (woocommerce, "consumer_key"), (woocommerce, "consumer_secret"), (woocommerce, "company")],
)  # fmt: skip
def test_what_a_platform_needs_is_named_when_it_is_missing(
    admin: Caller, owner: Company, make: Any, field: str
) -> None:
    body = make(owner.id)
    del body[field]

    assert faults(admin.post("sites", body)) == {field: "is required"}


def test_faults_that_need_the_database_are_told_together(admin: Caller) -> None:
    answer = admin.post("sites", bigcommerce(999, api_url="ftp://x", webhook_proofs=["header"]))

    assert set(faults(answer)) == {"api_url", "company", "webhook_header_value"}


def test_secrets_are_kept_when_left_out_and_cleared_by_null(admin: Caller, store: Site) -> None:
    admin.patch(f"sites/{store.id}", {"webhook_secret": SECRETS["webhook_secret"]})
    kept = admin.patch(f"sites/{store.id}", {"safety_stock": 5}).get_json()
    assert (kept["access_token_set"], kept["webhook_secret_set"], kept["safety_stock"]) == (True, True, 5)

    cleared = admin.patch(f"sites/{store.id}", {"access_token": None, "webhook_secret": None}).get_json()
    assert (cleared["access_token_set"], cleared["webhook_secret_set"]) == (False, False)
    assert rows("SELECT access_token FROM rm_sites") == [(None,)]


def test_the_header_proof_keeps_its_value(admin: Caller, store: Site) -> None:
    value = SECRETS["webhook_header_value"]
    both = {"webhook_proofs": ["signature", "header"], "webhook_header_value": value}
    assert admin.patch(f"sites/{store.id}", both).status_code == 200

    answer = admin.patch(f"sites/{store.id}", {"webhook_header_value": None})

    assert list(faults(answer)) == ["webhook_header_value"]


def test_a_field_of_the_other_platform_is_refused(admin: Caller, store: Site, shop: Site) -> None:
    assert faults(admin.patch(f"sites/{store.id}", {"url": "https://example.com"})) == {
        "url": "is not a field of a bigcommerce site"
    }
    assert list(faults(admin.patch(f"sites/{shop.id}", {"store_hash": "x", "channel_ids": [1]}))) == [
        "channel_ids",
        "store_hash",
    ]


def test_a_site_keeps_its_platform(admin: Caller, store: Site) -> None:
    assert admin.patch(f"sites/{store.id}", {"platform": "bigcommerce"}).status_code == 200
    answer = admin.patch(f"sites/{store.id}", {"platform": "woocommerce"})
    assert refused(answer, 409, "identity_fixed")


def test_a_store_can_be_corrected_until_it_has_items(admin: Caller, store: Site, shop: Site) -> None:
    assert admin.patch(f"sites/{store.id}", {"store_hash": "right1"}).get_json()["store_hash"] == "right1"
    assert rows("SELECT store_key FROM rm_sites WHERE id = %s", (store.id,)) == [("bigcommerce:right1",)]
    _item(store.id)
    _item(shop.id)

    for site, change in ((store, {"store_hash": "other"}), (shop, {"url": "https://other.example.com"})):
        answer = admin.patch(f"sites/{site.id}", change)
        assert refused(answer, 409, "identity_fixed")
        assert list(faults(answer)) == list(change)


def test_the_same_store_may_be_written_another_way(admin: Caller, store: Site, shop: Site) -> None:
    _item(store.id)
    _item(shop.id)

    assert admin.patch(f"sites/{store.id}", {"store_hash": "ABC123"}).status_code == 200
    assert admin.patch(f"sites/{shop.id}", {"url": "http://SHOP.example.com:80/"}).status_code == 200


def test_a_store_is_not_exchanged_under_a_running_sync(admin: Caller, store: Site) -> None:
    execute("INSERT INTO rm_sync_runs (site_id, status) VALUES (%s, 'running')", (store.id,))

    assert refused(admin.patch(f"sites/{store.id}", {"store_hash": "other"}), 409, "identity_fixed")


def test_null_takes_an_address_and_a_location_back(admin: Caller, store: Site) -> None:
    admin.patch(f"sites/{store.id}", {"api_url": "https://proxy.example.com/", "location_id": 7})
    reset = admin.patch(f"sites/{store.id}", {"api_url": None, "location_id": None}).get_json()

    assert (reset["api_url"], reset["location_id"]) == ("https://api.bigcommerce.com", None)


def test_a_site_can_be_given_another_company_that_exists(admin: Caller, store: Site) -> None:
    other = admin.post("companies", company(name="Other")).get_json()["id"]

    assert admin.patch(f"sites/{store.id}", {"company": other}).get_json()["company"] == other
    assert list(faults(admin.patch(f"sites/{store.id}", {"company": 999}))) == ["company"]


@pytest.mark.parametrize("change", [{"safety_stock": 3}, {"location_id": 9}, {"channel_ids": [1, 2]}])
def test_what_changes_the_stock_to_show_starts_a_sync_of_an_active_site(
    admin: Caller, store: Site, change: dict[str, Any]
) -> None:
    admin.patch(f"sites/{store.id}", change)
    assert rows("SELECT 1 FROM rm_sync_runs") == []  # the site is paused

    execute("UPDATE rm_sites SET active = true")
    admin.patch(f"sites/{store.id}", change)
    assert rows("SELECT 1 FROM rm_sync_runs") == []  # nothing has changed

    execute("UPDATE rm_sites SET safety_stock = 0, location_id = NULL, channel_ids = '[]'")
    admin.patch(f"sites/{store.id}", change)
    assert rows("SELECT status FROM rm_sync_runs") == [("queued",)]


def test_deleting_a_site_deletes_all_that_is_its_own(admin: Caller, store: Site, shop: Site) -> None:
    for product_id in range(1, 4):
        _item(store.id, product_id)
    _item(shop.id)
    admin.patch(f"sites/{store.id}", {"active": True})
    execute("INSERT INTO rm_webhook_log (site_id) VALUES (%s), (%s)", (store.id, shop.id))

    assert admin.delete(f"sites/{store.id}").status_code == 204

    assert refused(admin.get(f"sites/{store.id}"), 404, "unknown_site")
    assert refused(admin.delete(f"sites/{store.id}"), 404, "unknown_site")
    delete_what_leaves()
    for table in ("rm_items", "rm_sync_runs", "rm_queue", "rm_webhook_log"):
        found = {site_id for (site_id,) in rows(f"SELECT site_id FROM {table} WHERE site_id IS NOT NULL")}
        assert found <= {shop.id}, table
    assert rows("SELECT count(*) FROM rm_items") == [(1,)]


def test_sites_are_listed_oldest_first(reader: Caller, store: Site, shop: Site) -> None:
    listed = reader.get("sites").get_json()

    assert [(one["id"], one["platform"]) for one in listed["items"]] == [
        (store.id, "bigcommerce"),
        (shop.id, "woocommerce"),
    ]
