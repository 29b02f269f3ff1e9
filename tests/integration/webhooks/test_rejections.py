"""A flood of forgeries fills neither the disk nor the day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.database import execute, row, rows
from models.site import BIGCOMMERCE, WOOCOMMERCE, Site
from tests.deliveries import SECRET, STORE_HASH, delivery, jobs, logged, path, site
from tests.fleet import eventually
from tests.receivers import Gunicorn, receiving
from workers.webhooks.intake import REJECTED_AN_HOUR, Delivery
from workers.webhooks.proofs import Verdict
from workers.webhooks.rejections import Rejections
from workers.webhooks.site_keys import Keyring, SiteKeys

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FORGED = {"X-WC-Webhook-Signature": "AAAA", "X-WC-Webhook-Topic": "product.updated"}


@pytest.fixture(autouse=True)
def _within_one_hour(database: str) -> None:
    """Counters are by the hour of PostgreSQL's clock: a test that begins in its last seconds waits for the next."""
    eventually(
        lambda: row("SELECT extract(epoch FROM now())::bigint %% 3600 < 3585") == (True,),
        seconds=30,
        what="the next hour",
    )


@pytest.fixture
def app(database: str) -> Iterator[Flask]:
    with receiving() as app:
        yield app


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


@pytest.fixture
def shop(database: str) -> Site:
    return site(WOOCOMMERCE)


def keys_of(to: Site) -> SiteKeys:
    return SiteKeys(to.id, to.platform, True, STORE_HASH, ("signature",), (SECRET,), None)


def reject(process: Rejections, to: Site, body: bytes = b"{}") -> None:
    process.add(
        keys_of(to), "product.updated", Verdict.FORGED, Delivery({}, body, "test"), "a proof is wrong"
    )


def counted() -> list[tuple[int, int]]:
    """(site, number) of every counter."""
    return rows("SELECT site_id, number FROM rm_webhook_rejections ORDER BY site_id")


def test_the_first_hundred_of_an_hour_are_stored_and_the_rest_is_counted(
    client: FlaskClient, shop: Site
) -> None:
    for _ in range(REJECTED_AN_HOUR + 30):
        assert client.post(path(shop), data=b"{}", headers=FORGED).status_code == 401

    assert logged() == [("rejected",)] * REJECTED_AN_HOUR
    eventually(
        lambda: counted() == [(shop.id, REJECTED_AN_HOUR + 30)], seconds=20, what="the count of the flood"
    )


def test_what_was_only_counted_is_stored_before_a_process_ends(
    environment: dict[str, str], shop: Site
) -> None:
    with Gunicorn(environment) as receiver:
        # The count of the first is written within a second, so of the last at most once we have asked it to end.
        for _ in range(REJECTED_AN_HOUR + 30):
            assert receiver.post(path(shop), b"{}", FORGED)[0] == 401
        receiver.process.terminate()
        assert receiver.process.wait(timeout=20) == 0

    assert counted() == [(shop.id, REJECTED_AN_HOUR + 30)]


def test_many_processes_together_store_a_hundred_and_count_them_all(shop: Site) -> None:
    processes = [Rejections() for _ in range(8)]

    def flood(process: Rejections) -> None:
        for _ in range(25):
            reject(process, shop)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(flood, processes))

    assert logged() == [("rejected",)] * REJECTED_AN_HOUR
    for process in processes:
        process.flush()
    assert counted() == [(shop.id, 200)]


def test_once_the_hour_is_full_a_forgery_costs_no_statement(shop: Site) -> None:
    process = Rejections()
    for _ in range(REJECTED_AN_HOUR + 1):
        reject(process, shop)
    before = counted()

    for _ in range(1000):
        reject(process, shop)

    assert counted() == before == [(shop.id, REJECTED_AN_HOUR + 1)]
    assert process.flush() == 1000
    assert counted() == [(shop.id, REJECTED_AN_HOUR + 1001)]
    assert process.flush() == 0


def test_one_sites_flood_leaves_another_sites_hundred_alone(shop: Site) -> None:
    other, process = site(BIGCOMMERCE), Rejections()
    for _ in range(REJECTED_AN_HOUR + 50):
        reject(process, shop)

    reject(process, other)

    assert rows("SELECT count(*) FROM rm_webhook_log WHERE site_id = %s", (other.id,)) == [(1,)]


def test_the_next_hour_has_a_hundred_of_its_own(shop: Site) -> None:
    for _ in range(REJECTED_AN_HOUR):
        reject(Rejections(), shop)
    execute("UPDATE rm_webhook_rejections SET hour = hour - interval '1 hour'")

    reject(Rejections(), shop)

    assert len(logged()) == REJECTED_AN_HOUR + 1
    assert sorted(number for _, number in counted()) == [1, REJECTED_AN_HOUR]


def test_a_process_forgets_that_an_hour_was_full_when_it_is_over(shop: Site) -> None:
    process = Rejections()
    for _ in range(REJECTED_AN_HOUR + 1):
        reject(process, shop)
    execute("UPDATE rm_webhook_rejections SET hour = hour - interval '1 hour'")
    later = SiteKeys(shop.id, shop.platform, True, None, ("signature",), (SECRET,), None, clock_offset=3600.0)

    process.add(later, None, Verdict.FORGED, Delivery({}, b"{}", "test"), "a proof is wrong")

    assert len(logged()) == REJECTED_AN_HOUR + 1


def test_what_could_not_be_written_stays_counted(shop: Site) -> None:
    process = Rejections()
    for _ in range(REJECTED_AN_HOUR + 6):
        reject(process, shop)
    execute("ALTER TABLE rm_webhook_rejections RENAME TO gone_for_now")
    with pytest.raises(Exception, match="does not exist"):
        process.flush()
    execute("ALTER TABLE gone_for_now RENAME TO rm_webhook_rejections")

    assert process.flush() == 5
    assert counted() == [(shop.id, REJECTED_AN_HOUR + 6)]


def test_a_site_deleted_meanwhile_does_not_keep_others_from_being_counted(shop: Site) -> None:
    other, process = site(BIGCOMMERCE), Rejections()
    for to in (shop, other):
        for _ in range(REJECTED_AN_HOUR + 3):
            reject(process, to)
    execute("DELETE FROM rm_sites WHERE id = %s", (shop.id,))

    process.flush()

    assert counted() == [(other.id, REJECTED_AN_HOUR + 3)]


def test_bodies_are_cut_and_their_whole_length_is_told(client: FlaskClient, shop: Site) -> None:
    for body in (b"x" * 4096, b"x" * 4097, b"x" * 1024 * 1024, "\u20ac".encode() * 5000, b"\xff" * 5000):
        assert client.post(path(shop), data=body, headers=FORGED).status_code == 401

    assert logged("octet_length(body) <= 4096, body_bytes") == [
        (True, 4096), (True, 4097), (True, 1024 * 1024), (True, 15_000), (True, 5000)
    ]  # fmt: skip
    assert logged("length(body)")[0] == (4096,)


def test_headers_are_bounded_in_number_and_length(client: FlaskClient, shop: Site) -> None:
    many = {f"X-Header-{number}": "y" * 2000 for number in range(90)}

    client.post(path(shop), data=b"{}", headers={**many, **FORGED})

    ((headers,),) = logged("headers")
    assert len(headers) <= 40
    assert len(json.dumps(headers)) < 40 * 600


def test_greetings_are_bounded_too_and_always_answered_200(client: FlaskClient, shop: Site) -> None:
    for _ in range(REJECTED_AN_HOUR + 20):
        assert client.post(path(shop), data=b"webhook_id=1", headers=FORM).status_code == 200

    assert logged() == [("ignored",)] * REJECTED_AN_HOUR
    eventually(
        lambda: counted() == [(shop.id, REJECTED_AN_HOUR + 20)], seconds=20, what="the count of greetings"
    )


def test_a_full_hour_of_forgeries_stops_no_honest_delivery(client: FlaskClient, shop: Site) -> None:
    for _ in range(REJECTED_AN_HOUR + 5):
        client.post(path(shop), data=b"{}", headers=FORGED)
    body, headers = delivery(shop, 205)

    assert client.post(path(shop), data=body, headers=headers).get_json() == {"status": "received"}
    assert jobs() == [("pending",)]
    eventually(lambda: counted() == [(shop.id, REJECTED_AN_HOUR + 5)], seconds=20, what="the count")


def test_a_scan_of_site_ids_does_not_fill_the_memory(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.webhooks.site_keys.MOST_KEPT", 50)
    keyring = Keyring()

    for site_id in range(1, 200):
        assert keyring.find(10_000 + site_id) is None

    assert len(keyring._kept) <= 50
