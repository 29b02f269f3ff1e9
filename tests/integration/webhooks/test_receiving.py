"""One delivery: what is answered, what is stored, and which job it becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import crypto
from models.database import execute, row, rows
from models.site import BIGCOMMERCE, WOOCOMMERCE, Site
from tests.deliveries import (
    TOKEN,
    TOKEN_HEADER,
    bigcommerce_body,
    bigcommerce_headers,
    delivery,
    jobs,
    logged,
    path,
    site,
    woocommerce_body,
    woocommerce_headers,
)
from tests.fleet import eventually
from tests.receivers import receiving

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOUR = 3600


@pytest.fixture
def client(database: str) -> Iterator[FlaskClient]:
    with receiving() as app, app.test_client() as client:
        yield client


@pytest.fixture(params=[BIGCOMMERCE, WOOCOMMERCE])
def to(request: pytest.FixtureRequest, database: str) -> Site:
    """A site of each platform in turn."""
    return site(request.param)


def send(client: FlaskClient, to: Site, body: bytes, headers: dict[str, str]) -> TestResponse:
    return client.post(path(to), data=body, headers=headers)


def refused(answer: TestResponse, status: int, code: str) -> bool:
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    return True


def test_a_proved_delivery_is_stored_with_its_job_and_answered_200(client: FlaskClient, to: Site) -> None:
    body, headers = delivery(to, 205)

    answer = send(client, to, body, {**headers, "X-Request-ID": "from-the-shop"})

    assert (answer.status_code, answer.get_json()) == (200, {"status": "received"})
    ((job_id, *job),) = jobs("id, status, queue, payload, site_id, fold_key, attempts, request_id, priority")
    assert job == [
        "pending",
        "webhooks",
        {"product": 205},
        to.id,
        f"webhook:{to.id}:205",
        0,
        "from-the-shop",
        10,
    ]
    event = "store/product/updated" if to.platform == BIGCOMMERCE else "product.updated"
    assert logged(
        "site_id, event_type, status, verdict, resource, product_id, body, body_bytes, job_id, request_id,"
        " attempts, error_message, processed_at"
    ) == [
        (to.id, event, "received", "verified", "product 205", 205, body.decode(), len(body), job_id,
         "from-the-shop", 0, None, None)
    ]  # fmt: skip


def test_the_job_is_due_at_once(client: FlaskClient, to: Site) -> None:
    send(client, to, *delivery(to, 205))

    assert jobs("available_at <= clock_timestamp()") == [(True,)]


def test_headers_are_kept_without_what_proves(client: FlaskClient, database: str) -> None:
    to = site(BIGCOMMERCE, webhook_proofs=["signature", "header"], webhook_header_value=TOKEN)
    body, headers = delivery(to, 205)
    secrets = {TOKEN_HEADER: TOKEN, "Authorization": "Bearer abc", "X-Api-Key": "key=abc"}

    assert send(client, to, body, {**headers, **secrets}).status_code == 200

    ((kept,),) = logged("headers")
    assert kept["Webhook-Id"] == headers["webhook-id"]
    assert kept["Content-Type"] == "application/json"
    hidden = {name for name, value in kept.items() if value == "***"}
    assert hidden == {"Webhook-Signature", "X-Inventory-Sync-Token", "Authorization", "X-Api-Key"}
    everything = json.dumps(logged("to_jsonb(rm_webhook_log)"))
    for secret in (TOKEN, "Bearer abc", "key=abc", headers["webhook-signature"]):
        assert secret not in everything


def test_what_is_not_proved_gets_401_and_no_job(client: FlaskClient, to: Site) -> None:
    body, headers = delivery(to, 205)

    assert refused(send(client, to, body + b" ", headers), 401, "delivery_forged")
    assert refused(send(client, to, body, {"Content-Type": "application/json"}), 401, "delivery_unsigned")
    assert refused(send(client, to, b"", {}), 401, "delivery_unsigned")

    assert jobs() == []
    found = logged("status, verdict, body, error_message LIKE '%%proof%%'")
    assert found == [
        ("rejected", "forged", body.decode() + " ", True),
        ("rejected", "unsigned", body.decode(), True),
        ("rejected", "unsigned", "", True),
    ]


def test_what_was_signed_over_two_days_ago_gets_401(client: FlaskClient, database: str) -> None:
    to = site(BIGCOMMERCE)

    assert refused(send(client, to, *delivery(to, 205, age=49 * HOUR)), 401, "delivery_stale")

    assert (logged("status, verdict"), jobs()) == ([("rejected", "stale")], [])


def test_a_vendors_retry_of_an_hour_ago_is_done_and_said_to_be_late(
    client: FlaskClient, database: str
) -> None:
    to = site(BIGCOMMERCE)

    assert send(client, to, *delivery(to, 205, age=HOUR)).status_code == 200

    assert (logged("status, verdict"), jobs()) == ([("received", "late")], [("pending",)])


def test_what_is_proved_but_unreadable_gets_400(client: FlaskClient, to: Site) -> None:
    bodies = [b"", b"not json", b'["a list"]', b'{"scope":"\xff"}', b"{" * 2000]
    for body in bodies:
        headers = bigcommerce_headers(body) if to.platform == BIGCOMMERCE else woocommerce_headers(body)
        assert refused(send(client, to, body, headers), 400, "unreadable"), body

    assert jobs() == []
    assert logged("status, verdict, body_bytes") == [("rejected", "unreadable", len(body)) for body in bodies]


def test_an_unknown_site_is_404_and_nothing_is_stored(client: FlaskClient, to: Site) -> None:
    body, headers = delivery(to, 205)
    other = WOOCOMMERCE if to.platform == BIGCOMMERCE else BIGCOMMERCE
    for where in (
        f"/webhooks/{to.platform}/{to.id + 1000}",
        f"/webhooks/{other}/{to.id}",
        f"/webhooks/{to.platform}/0",
        f"/webhooks/{to.platform}/{2**31}",
        f"/webhooks/{to.platform}/{10**40}",
    ):
        assert refused(client.post(where, data=body, headers=headers), 404, "unknown_site"), where

    assert (logged(), jobs()) == ([], [])


def test_other_addresses_are_404(client: FlaskClient, database: str) -> None:
    for tail in ("", "/", "/x", "/-1", "/1.5", "/1/2"):
        assert client.post(f"/webhooks/shopify{tail}").status_code == 404
        assert client.post(f"/webhooks/bigcommerce{tail}").status_code == 404


def test_only_post_is_taken(client: FlaskClient, to: Site) -> None:
    answer = client.get(path(to))

    assert refused(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_a_site_that_was_just_deleted_is_unknown(client: FlaskClient, to: Site) -> None:
    assert send(client, to, *delivery(to, 205)).status_code == 200  # its keys are kept for a moment now
    execute("DELETE FROM rm_sites WHERE id = %s", (to.id,))

    assert refused(send(client, to, *delivery(to, 206)), 404, "unknown_site")
    body, headers = delivery(to, 207)
    assert refused(send(client, to, body + b" ", headers), 404, "unknown_site")


def test_an_inactive_sites_delivery_is_stored_as_ignored(client: FlaskClient, to: Site) -> None:
    execute("UPDATE rm_sites SET active = false")

    answer = send(client, to, *delivery(to, 205))

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ignored"})
    assert logged("status, error_message") == [("ignored", "the site is not active")]
    assert jobs() == []


def test_an_inactive_site_still_refuses_forgeries(client: FlaskClient, to: Site) -> None:
    execute("UPDATE rm_sites SET active = false")
    body, headers = delivery(to, 205)

    assert send(client, to, body + b" ", headers).status_code == 401


def test_an_event_of_something_else_is_ignored_with_the_reason(client: FlaskClient, database: str) -> None:
    to = site(BIGCOMMERCE)
    body = bigcommerce_body(5, "store/order/created")

    answer = send(client, to, body, bigcommerce_headers(body))

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ignored"})
    assert logged("status, event_type, error_message") == [
        ("ignored", "store/order/created", "nothing here depends on this event")
    ]


def test_woocommerces_greeting_gets_exactly_200_and_is_recorded(client: FlaskClient, database: str) -> None:
    to = site(WOOCOMMERCE)

    assert send(client, to, b"webhook_id=7", FORM).status_code == 200

    assert logged("status, event_type, verdict, body") == [("ignored", "ping", "ping", "webhook_id=7")]
    assert jobs() == []


def test_a_greeting_is_nothing_to_a_bigcommerce_site(client: FlaskClient, database: str) -> None:
    assert send(client, site(BIGCOMMERCE), b"webhook_id=7", FORM).status_code == 401


def test_a_site_that_demands_no_proof_takes_nothing(client: FlaskClient, to: Site) -> None:
    execute("UPDATE rm_sites SET webhook_proofs = '[]'")

    assert refused(send(client, to, *delivery(to, 205)), 401, "delivery_unsigned")


def test_both_proofs_must_pass_where_a_site_demands_both(client: FlaskClient, database: str) -> None:
    to = site(BIGCOMMERCE, webhook_proofs=["signature", "header"], webhook_header_value=TOKEN)
    body, headers = delivery(to, 205)

    assert refused(send(client, to, body, headers), 401, "delivery_unsigned")
    assert refused(send(client, to, body, {TOKEN_HEADER: TOKEN}), 401, "delivery_unsigned")
    assert refused(send(client, to, body, {**headers, TOKEN_HEADER: "x"}), 401, "delivery_forged")
    assert send(client, to, body, {**headers, TOKEN_HEADER: TOKEN}).status_code == 200


def test_the_old_secret_counts_until_its_time_and_no_longer(to: Site, database: str) -> None:
    execute(
        "UPDATE rm_sites SET webhook_secret = %s, webhook_secret_previous = webhook_secret,"
        " webhook_secret_previous_until = now() + interval '1 hour'",
        (crypto.encrypt("the new secret"),),
    )
    with receiving() as app:
        during = app.test_client()
        assert send(during, to, *delivery(to, 205)).status_code == 200
        assert send(during, to, *delivery(to, 206, secret="the new secret")).status_code == 200
        assert send(during, to, *delivery(to, 207, secret="a third")).status_code == 401

    execute("UPDATE rm_sites SET webhook_secret_previous_until = now()")
    with receiving() as app:
        after = app.test_client()  # keys are kept for two seconds: this one has none yet
        assert send(after, to, *delivery(to, 208)).status_code == 401
        assert send(after, to, *delivery(to, 209, secret="the new secret")).status_code == 200


def test_text_that_postgresql_can_not_keep_is_shown_as_unknown(client: FlaskClient, database: str) -> None:
    to = site(BIGCOMMERCE)
    body = json.dumps({"scope": "a\x00b\ud800c", "data": {}, "producer": "x\x00"}).encode()

    assert send(client, to, body, bigcommerce_headers(body)).status_code == 200
    raw = b'{"scope":"s\x00\xff"}'
    assert send(client, to, raw, bigcommerce_headers(raw)).status_code == 400

    assert logged("event_type, body") == [
        ("a\ufffdb\ufffdc", body.decode()),
        (None, '{"scope":"s\ufffd\ufffd"}'),
    ]


def test_a_large_body_is_kept_whole_and_a_larger_one_is_413(client: FlaskClient, to: Site) -> None:
    limit = 1024 * 1024
    body, headers = _sized(to, limit)
    assert send(client, to, body, headers).status_code == 200
    assert logged("body_bytes, md5(body)") == [(limit, hashlib.md5(body).hexdigest())]

    body, headers = _sized(to, limit + 1)
    assert refused(send(client, to, body, headers), 413, "body_too_large")
    assert len(logged()) == 1


def _sized(to: Site, size: int) -> tuple[bytes, dict[str, str]]:
    def make(text: str) -> bytes:
        if to.platform == BIGCOMMERCE:
            return bigcommerce_body(205, hash=text, created_at=1_700_000_000)
        return woocommerce_body(205, name=text)

    body = make("x" * (size - len(make(""))))
    assert len(body) == size
    return body, bigcommerce_headers(body) if to.platform == BIGCOMMERCE else woocommerce_headers(body)


def test_there_is_no_job_without_the_row_that_is_its_cause(client: FlaskClient, database: str) -> None:
    to = site(WOOCOMMERCE)
    send(client, to, *delivery(to, 1))
    execute("ALTER TABLE rm_webhook_log ADD CONSTRAINT full_now CHECK (product_id <> 205)")

    answer = send(client, to, *delivery(to, 205))

    assert answer.status_code == 500
    assert rows("SELECT payload FROM rm_queue") == [({"product": 1},)]


def test_the_jobs_hint_goes_out_by_itself(client: FlaskClient, database: str) -> None:
    to = site(BIGCOMMERCE)
    send(client, to, *delivery(to, 205))

    def hinted() -> bool:
        found = row("SELECT hint_count FROM rm_queue")
        return found == (1,)

    eventually(hinted, seconds=10, every=0.02, what="the hint")
