"""The receivers as a pod runs them: what gunicorn and the network add to one delivery."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.site import BIGCOMMERCE, WOOCOMMERCE, Site
from tests.deliveries import (
    bigcommerce_body,
    bigcommerce_headers,
    delivery,
    forget,
    jobs,
    logged,
    path,
    site,
    woocommerce_body,
    woocommerce_headers,
)
from tests.receivers import Gunicorn

LIMIT = 1024 * 1024


@pytest.fixture
def receiver(environment: dict[str, str]) -> Iterator[Gunicorn]:
    with Gunicorn(environment) as running:
        yield running


def test_over_real_http(receiver: Gunicorn) -> None:
    """One process for all of this: starting it costs more than what is tried."""
    shops = [site(BIGCOMMERCE), site(WOOCOMMERCE)]
    for check in (
        _a_delivery_of_each_platform_is_taken,
        _a_chunked_body_is_proved_like_any_other,
        _a_body_over_the_limit_is_413_with_a_length_and_without,
        _a_body_of_just_the_limit_is_taken,
        _a_refusal_leaves_the_connection_usable,
        _half_a_body_stores_nothing,
        _odd_headers_are_answered,
    ):
        for shop in shops:
            forget()
            check(receiver, shop)
    forget()
    _many_at_once_over_kept_connections(receiver, shops[0])
    assert "Traceback" not in receiver.log()


def _a_delivery_of_each_platform_is_taken(receiver: Gunicorn, to: Site) -> None:
    status, headers, body = receiver.post(path(to), *delivery(to, 205))

    assert (status, json.loads(body)) == (200, {"status": "received"})
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    assert (logged(), jobs()) == ([("received",)], [("pending",)])


def _a_chunked_body_is_proved_like_any_other(receiver: Gunicorn, to: Site) -> None:
    body, headers = delivery(to, 205)

    assert _chunked(receiver, to, [body[:7], body[7:20], body[20:]], headers)[0] == 200
    assert _chunked(receiver, to, [body[:7], b" ", body[7:]], headers)[0] == 401
    assert logged("status, body_bytes") == [("received", len(body)), ("rejected", len(body) + 1)]


def _chunked(receiver: Gunicorn, to: Site, parts: list[bytes], headers: dict[str, str]) -> tuple[int, bytes]:
    connection = receiver.connect()
    try:
        connection.request("POST", path(to), iter(parts), headers, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _sized(to: Site, size: int) -> tuple[bytes, dict[str, str]]:
    def make(text: str) -> bytes:
        if to.platform == BIGCOMMERCE:
            return bigcommerce_body(205, hash=text, created_at=1_700_000_000)
        return woocommerce_body(205, name=text)

    body = make("x" * (size - len(make(""))))
    return body, bigcommerce_headers(body) if to.platform == BIGCOMMERCE else woocommerce_headers(body)


def _a_body_over_the_limit_is_413_with_a_length_and_without(receiver: Gunicorn, to: Site) -> None:
    body, headers = _sized(to, LIMIT + 1)

    status, answered, text = receiver.post(path(to), body, headers)
    assert (status, answered["content-type"]) == (413, "application/problem+json")
    assert json.loads(text)["code"] == "body_too_large"
    chunks = [body[start : start + 65536] for start in range(0, len(body), 65536)]
    status, text = _chunked(receiver, to, chunks, headers)
    assert (status, json.loads(text)["code"]) == (413, "body_too_large")
    assert (logged(), jobs()) == ([], [])


def _a_body_of_just_the_limit_is_taken(receiver: Gunicorn, to: Site) -> None:
    body, headers = _sized(to, LIMIT)
    chunks = [body[start : start + 65536] for start in range(0, len(body), 65536)]

    assert receiver.post(path(to), body, headers)[0] == 200
    assert _chunked(receiver, to, chunks, headers)[0] == 200
    assert logged("body_bytes") == [(LIMIT,), (LIMIT,)]


def _a_refusal_leaves_the_connection_usable(receiver: Gunicorn, to: Site) -> None:
    connection = receiver.connect()
    try:
        first = None
        for number in range(6):
            body, headers = delivery(to, 300 + number)
            connection.request("POST", path(to), body + b" " * (number % 2), headers)
            answer = connection.getresponse()
            assert answer.status == (401 if number % 2 else 200)
            answer.read()
            first = first or connection.sock
            assert connection.sock is first  # kept alive, not opened anew
    finally:
        connection.close()
    assert logged() == [("received",), ("rejected",)] * 3


def _half_a_body_stores_nothing(receiver: Gunicorn, to: Site) -> None:
    body, headers = delivery(to, 205)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path(to)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode()
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=30) as connection:
        connection.sendall(head + body[:-20])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)

    assert not answer.startswith(b"HTTP/1.1 200"), answer
    assert jobs() == []
    assert receiver.post(path(to), *delivery(to, 206))[0] == 200  # and nobody hangs on it


def _odd_headers_are_answered(receiver: Gunicorn, to: Site) -> None:
    body, _ = delivery(to, 205)
    odd = {
        "webhook-id": b"\xff\xfe\xe9",
        "webhook-timestamp": b"\xd9\xa1",
        "webhook-signature": b"v1,\xff v1a,\x80",
        "X-WC-Webhook-Signature": b"\xff\xff",
        "X-WC-Webhook-Topic": b"product.\xff",
        "X-Inventory-Sync-Token": b"\xff",
        "Content-Type": b"\xff/\xfe; charset=\xfd",
    }
    connection = receiver.connect()
    try:
        connection.putrequest("POST", path(to))
        for name, value in odd.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        assert connection.getresponse().status == 401
    finally:
        connection.close()
    assert logged() == [("rejected",)]


def _many_at_once_over_kept_connections(receiver: Gunicorn, to: Site) -> None:
    together = threading.Barrier(16)

    def send(_: int) -> list[int]:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        together.wait()
        statuses = []
        try:
            for product_id in (1, 2, 3, 1, 2, 3):
                body, headers = delivery(to, product_id)
                connection.request("POST", path(to), body, headers)
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        finally:
            connection.close()
        return statuses

    with ThreadPoolExecutor(16) as pool:
        answers = [status for found in pool.map(send, range(16)) for status in found]

    assert answers == [200] * 96
    assert len(logged()) == 96
    assert sorted(jobs("status, folded, payload ->> 'product'")) == [
        ("pending", 31, "1"), ("pending", 31, "2"), ("pending", 31, "3")
    ]  # fmt: skip
