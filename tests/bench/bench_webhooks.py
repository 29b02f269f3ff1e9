"""Receipts of webhooks a second, beside a bare Flask view with one INSERT on the same servers: `make bench`."""

from __future__ import annotations

import os
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import click

from models.site import BIGCOMMERCE, Site
from tests.deliveries import bigcommerce_body, bigcommerce_headers, forget, path, site
from tests.receivers import Gunicorn

REPEATS = 7
DELIVERIES = int(os.environ.get("BENCH_DELIVERIES", "2000"))  # of one repeat
CONNECTIONS = 8  # kept alive, as the Procfile has threads
AT_LEAST = 0.7


def bench_receipts(environment: dict[str, str]) -> None:
    """The whole receiver (proof, log row, job, hint) and the bare view in turn; medians are compared."""
    to = site(BIGCOMMERCE)
    loud = {**environment, "LOG_LEVEL": "INFO"}  # as in production
    rates: dict[str, list[float]] = {"bare": [], "receiver": []}
    with Gunicorn(loud, "tests.bench.bare:create_app()") as bare, Gunicorn(loud) as receiver:
        for number in range(REPEATS + 1):
            for name, server in (("bare", bare), ("receiver", receiver)):
                forget()
                rate = _rate(server.port, _requests(to))
                if number:  # the first warms both up
                    rates[name].append(rate)
    found = {name: statistics.median(measured) for name, measured in rates.items()}
    ratio = found["receiver"] / found["bare"]
    click.echo(
        f"receipts: {found['receiver']:.0f}/s, bare view with one INSERT: {found['bare']:.0f}/s, "
        f"ratio {ratio:.2f} (medians of {REPEATS} interleaved repeats of {DELIVERIES} deliveries)"
    )
    assert ratio >= AT_LEAST


def _requests(to: Site) -> list[bytes]:
    """Whole requests, each of another product; written beforehand, so that asking costs next to nothing."""
    found = []
    for product_id in range(1, DELIVERIES + 1):
        body = bigcommerce_body(product_id)
        headers = {**bigcommerce_headers(body), "Host": "127.0.0.1", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        found.append(f"POST {path(to)} HTTP/1.1\r\n{lines}\r\n".encode() + body)
    return found


def _rate(port: int, requests: list[bytes]) -> float:
    shares = [requests[number::CONNECTIONS] for number in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        began = time.perf_counter()
        list(pool.map(lambda share: _send(port, share), shares))
        return len(requests) / (time.perf_counter() - began)


def _send(port: int, requests: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"}\n"):
                part = connection.recv(4096)
                assert part, f"the connection was closed after {answer!r}"
                answer += part
            assert answer.startswith(b"HTTP/1.1 200"), answer
