"""The transport against servers that misbehave in every way we know."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.clients.raw_server import (
    Peer,
    answer,
    raw_server,
    read_request,
    resets,
    says,
    silent,
    trickles,
)
from workers.clients import connection, http
from workers.clients.answers import Answer
from workers.clients.http import Transport
from workers.errors import (
    AuthenticationRefused,
    BadAnswer,
    ConnectionFailed,
    MustWait,
    NotFound,
    RateLimited,
    Redirected,
    Refused,
    RemoteError,
    RemoteTimeout,
    ScopeMissing,
    Unavailable,
)

SECRET = "s3cr3t-token-of-this-shop"


def transport(address: str, **options: Any) -> Transport:
    defaults: dict[str, Any] = {"headers": {"X-Auth-Token": SECRET}, "allow_private": True, "deadline": 5.0}
    return Transport("Shop", base_url=f"http://{address}/base", **(defaults | options))


def get(address: str, **options: Any) -> Answer:
    return transport(address, **options).request("GET", "items", route="items")


def failing(address: str, method: str = "GET", *, writes: bool = False, **options: Any) -> RemoteError:
    """The error of one call, which must hold no secret and be one line."""
    with pytest.raises(RemoteError) as caught:
        transport(address, **options).request(method, "items?key=q-s3cr3t", route="items", writes=writes)
    text = str(caught.value)
    assert SECRET not in text
    assert "q-s3cr3t" not in text
    assert "\n" not in text
    return caught.value


# What works


def test_a_good_answer_is_read_whole_on_a_connection_that_is_kept() -> None:
    seen: list[bytes] = []

    def twice(peer: Peer) -> None:
        peer.sendall(answer(b'{"a": 1.10}', "200 OK", "X-Left: 7"))
        seen.append(read_request(peer))
        peer.sendall(answer(b"[]"))

    with raw_server(twice) as address:
        client = transport(address)
        first = client.request("GET", "items", route="items")
        second = client.request("GET", "/items", route="items", params={"q": "a b&c"})
    assert first.json(decimals=True)["a"].as_tuple().digits == (1, 1, 0)
    assert first.headers["x-left"] == "7"
    assert second.json() == []
    assert seen[0].startswith(b"GET /base/items?q=a+b%26c HTTP/1.1\r\n")
    assert f"X-Auth-Token: {SECRET}".encode() in seen[0]
    assert client.calls == {"items": 2}


def test_a_compressed_answer_is_unpacked() -> None:
    with raw_server(says(answer(gzip.compress(b'{"a":1}'), "200 OK", "Content-Encoding: gzip"))) as address:
        assert get(address).json() == {"a": 1}


def test_a_small_answer_that_unpacks_to_gigabytes_ends_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1024 * 1024)
    bomb = gzip.compress(bytes(50 * 1024 * 1024))
    with raw_server(says(answer(bomb, "200 OK", "Content-Encoding: gzip"))) as address:
        error = failing(address)
    assert (type(error), error.code) == (BadAnswer, "too_large")


def test_cookies_are_not_kept() -> None:
    seen: list[bytes] = []

    def behave(peer: Peer) -> None:
        peer.sendall(answer(b"{}", "200 OK", "Set-Cookie: session=1; Path=/"))
        seen.append(read_request(peer))
        peer.sendall(answer())

    with raw_server(behave) as address:
        client = transport(address)
        client.request("GET", "items", route="items")
        client.request("GET", "items", route="items")
    assert b"cookie" not in seen[0].lower()


# Statuses


@pytest.mark.parametrize(
    ("status", "kind", "permanent", "unknown"),
    [
        ("401 Unauthorized", AuthenticationRefused, True, False),
        ("403 Forbidden", ScopeMissing, True, False),
        ("404 Not Found", NotFound, True, False),
        ("409 Conflict", Refused, True, False),
        ("413 Too Large", Refused, True, False),
        ("422 Unprocessable", Refused, True, False),
        ("423 Locked", Unavailable, False, True),
        ("429 Slow Down", RateLimited, False, False),
        ("500 Oops", Unavailable, False, True),
        ("501 No", Refused, True, False),
        ("502 Bad Gateway", Unavailable, False, True),
        ("504 Timeout", Unavailable, False, True),
        ("204 No Content", BadAnswer, False, True),
        ("799 What", Unavailable, False, True),
    ],
)
def test_each_status_has_its_error(status: str, kind: type, permanent: bool, unknown: bool) -> None:
    with raw_server(says(answer(b"", status))) as address:
        error = failing(address, "POST", writes=True)
    assert type(error) is kind
    assert error.status == int(status[:3])
    assert error.permanent is permanent
    assert error.outcome_unknown is unknown


def test_a_redirect_is_told_and_never_followed() -> None:
    there = f"Location: https://user:{SECRET}@www.shop.example/new/?token={SECRET}"
    with raw_server(says(answer(b"", "301 Moved", there)), says(answer())) as address:
        error = failing(address)
    assert type(error) is Redirected
    assert str(error).endswith("to https://www.shop.example/new/")


def test_an_error_is_told_by_the_vendors_own_code_in_one_line_without_secrets() -> None:
    class Vendor(Transport):
        def explain(self, answer: Answer) -> tuple[str | None, str] | None:
            body = answer.json()
            return body["code"], body["message"]

    body = f'{{"code": "bad_row", "message": "no\\nrow for {SECRET}, {"x" * 500}"}}'.encode()
    with raw_server(says(answer(body, "422 No"))) as address:
        client = Vendor(
            "Shop", base_url=f"http://{address}", headers={"X-Auth-Token": SECRET}, allow_private=True
        )
        with pytest.raises(Refused) as caught:
            client.request("PUT", "rows", route="rows", writes=True)
    assert caught.value.code == "bad_row"
    assert str(caught.value).startswith("Shop PUT rows: 422")
    assert "no row for ***, xxx" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_error_of_another_shape_counts_by_its_status() -> None:
    class Vendor(Transport):
        def explain(self, answer: Answer) -> tuple[str | None, str] | None:
            return answer.json()["error"]["code"], ""

    for body in (b"<html>", b"[]", b'{"error": "text"}', b'{"error": null}', b""):
        with raw_server(says(answer(body, "503 Later", "Retry-After: 3"))) as address:
            client = Vendor("Shop", base_url=f"http://{address}", allow_private=True)
            with pytest.raises(Unavailable) as caught:
                client.request("GET", "rows", route="rows")
            assert caught.value.retry_after == 3


def test_a_status_counts_although_its_body_never_ends() -> None:
    with raw_server(trickles(answer(b"{", "429 Slow", "Retry-After: 9", length=100))) as address:
        error = failing(address, deadline=0.5)
    assert type(error) is RateLimited
    assert error.retry_after == 9


def test_every_status_is_handed_back_where_none_is_to_be_raised() -> None:
    with raw_server(says(answer(b"no", "404 None"))) as address:
        client = transport(address)
        found = client.request("GET", "x", route="x", raise_for_status=False)
    assert (found.status, found.body) == (404, b"no")


# Bodies


@pytest.mark.parametrize(
    ("body", "says_what"),
    [
        (b"<html>a login page</html>", "web page"),
        (b'{"a": [1, 2', "truncated"),
        (b"", "empty"),
        (b"welcome", "text"),
        (b'{"a": NaN}', "broken"),
        (b"\xff\xfe[", "text"),
        (b"[" * 100_000, "broken"),
    ],
)
def test_what_is_not_json_is_a_bad_answer(body: bytes, says_what: str) -> None:
    with raw_server(says(answer(body))) as address:
        for writes in (False, True):
            found = transport(address).request("POST", "x", route="x", writes=writes)
            with pytest.raises(BadAnswer, match=says_what) as caught:
                found.json()
            assert caught.value.outcome_unknown is writes
            assert not caught.value.permanent


@pytest.mark.parametrize(
    "sent",
    [
        answer(b'{"a": 1}', length=500),
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"a": 1',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        answer(gzip.compress(b'{"a":1}')[:-9], "200 OK", "Content-Encoding: gzip", length=400),
    ],
)
def test_an_answer_that_is_cut_short_is_a_bad_answer(sent: bytes) -> None:
    with raw_server(says(sent)) as address:
        error = failing(address, "PUT", writes=True)
    assert (type(error), error.code) == (BadAnswer, "truncated")
    assert error.outcome_unknown


def test_a_body_that_does_not_unpack_is_a_bad_answer() -> None:
    with raw_server(says(answer(b"not gzip at all", "200 OK", "Content-Encoding: gzip"))) as address:
        assert type(failing(address)) is BadAnswer


def test_a_server_that_does_not_speak_http_is_a_bad_answer() -> None:
    with raw_server(says(b"220 mail.example ESMTP\r\n")) as address:
        error = failing(address)
    assert (type(error), error.code) == (BadAnswer, "not_http")


# Time


@pytest.mark.parametrize(
    "behaviour",
    [
        trickles(answer(b"{", length=10_000)),
        trickles(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        trickles(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        trickles(b"", b"H"),
    ],
    ids=["body", "header", "chunks", "status"],
)
def test_an_answer_that_drips_for_ever_ends_at_the_deadline(behaviour: Any) -> None:
    with raw_server(behaviour) as address:
        begun = time.monotonic()
        error = failing(address, "PUT", writes=True, deadline=0.6)
        assert time.monotonic() - begun < 3
    assert type(error) is RemoteTimeout
    assert error.outcome_unknown


def test_a_silent_server_ends_at_the_read_timeout() -> None:
    with raw_server(silent) as address:
        begun = time.monotonic()
        error = failing(address, "PUT", writes=True, read_timeout=0.3)
        assert time.monotonic() - begun < 3
        assert type(error) is RemoteTimeout
        assert error.outcome_unknown
        assert not failing(address, read_timeout=0.3).outcome_unknown


def test_a_server_that_takes_no_more_bytes_ends_at_the_deadline() -> None:
    def deaf(peer: Peer) -> None:
        threading.Event().wait(3)

    with raw_server(deaf, read_first=False) as address:
        begun = time.monotonic()
        with pytest.raises(RemoteTimeout) as caught:
            transport(address, deadline=0.6).request(
                "PUT", "x", route="x", json=["x" * 30_000_000], writes=True
            )
        assert time.monotonic() - begun < 3
    assert caught.value.outcome_unknown


def test_a_deadline_of_one_call_comes_before_the_transports() -> None:
    with raw_server(silent) as address, pytest.raises(RemoteTimeout):
        transport(address).request("GET", "x", route="x", deadline=0.3)


# Connections


def test_a_refused_connection_was_never_sent() -> None:
    with raw_server(says()) as address:
        pass
    client = transport(address)
    with pytest.raises(ConnectionFailed) as caught:
        client.request("PUT", "x", route="x", writes=True)
    assert caught.value.code == "connect"
    assert not caught.value.outcome_unknown
    assert client.calls == {}


def test_a_name_that_does_not_resolve_says_dns() -> None:
    error = failing("nowhere.invalid")
    assert (type(error), error.code, error.permanent) == (ConnectionFailed, "dns", False)


def test_a_reset_leaves_a_writes_outcome_unknown_and_is_not_sent_again() -> None:
    connections: list[int] = []

    def count_and_reset(peer: Peer) -> None:
        connections.append(1)
        resets()(peer)

    with raw_server(count_and_reset) as address:
        error = failing(address, "PUT", writes=True)
        assert (type(error), error.code) == (ConnectionFailed, "reset")
        assert error.outcome_unknown
        assert len(connections) == 1
        assert not failing(address).outcome_unknown
        assert len(connections) == 2, "a first connection that is reset is no stale one"


def test_a_reset_in_the_middle_of_a_body_is_a_reset() -> None:
    with raw_server(resets(answer(b"{" * 10, length=5000))) as address:
        error = failing(address, "PUT", writes=True)
    assert error.outcome_unknown
    assert error.code in ("reset", "truncated")


@contextmanager
def stale_then_good() -> Iterator[tuple[str, list[bytes]]]:
    """A server that closes its first kept-alive connection as the second request comes in."""
    second: list[bytes] = []

    def closes_on_the_second(peer: Peer) -> None:
        peer.sendall(answer())
        second.append(read_request(peer))
        resets()(peer)

    with raw_server(closes_on_the_second, says(answer(b'"again"'))) as address:
        yield address, second


def test_a_read_on_a_connection_gone_stale_is_sent_once_more_and_counted() -> None:
    with stale_then_good() as (address, second):
        client = transport(address)
        client.request("GET", "x", route="x")
        assert client.request("GET", "x", route="x").json() == "again"
        assert len(second) == 1
        assert client.calls == {"x": 3}


def test_a_write_on_a_connection_gone_stale_is_not_sent_again() -> None:
    with stale_then_good() as (address, _):
        client = transport(address)
        client.request("GET", "x", route="x")
        with pytest.raises(ConnectionFailed) as caught:
            client.request("PUT", "x", route="x", writes=True)
        assert caught.value.outcome_unknown
        assert client.calls == {"x": 2}


def test_a_connection_that_idled_is_not_trusted_with_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_IDLE", 0.2)
    with stale_then_good() as (address, _):
        client = transport(address)
        client.request("GET", "x", route="x")
        time.sleep(0.3)
        assert client.request("PUT", "x", route="x", writes=True).json() == "again"


# Where it may go


def test_a_loopback_address_is_refused_at_the_connection_unless_allowed() -> None:
    with raw_server(says(answer())) as address:
        for host in (address, address.replace("127.0.0.1", "localhost")):
            error = failing(host, "PUT", writes=True, allow_private=False)
            assert (type(error), error.code, error.permanent) == (ConnectionFailed, "address", True)
            assert not error.outcome_unknown


def test_a_name_that_now_leads_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: what was public as it was configured leads inside as it is connected to."""
    resolve = socket.getaddrinfo
    with raw_server(says(answer())) as address:
        port = int(address.rpartition(":")[2])
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: resolve("127.0.0.1", *a, **k))
        error = failing(f"rebound.example:{port}", allow_private=False)
        assert error.code == "address"
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: resolve("169.254.169.254", *a, **k))
        error = failing(f"rebound.example:{port}", allow_private=True)
        assert error.code == "address"


def test_credentials_never_go_to_another_host() -> None:
    with raw_server(says(answer(b'"here"'))) as address:
        client = transport(address)
        assert client.request("GET", f"http://{address}/other?a=1", route="x").json() == "here"
        host, port = address.split(":")
        for other in (
            f"https://{address}/base/x",
            f"http://{host}:{int(port) - 1}/base/x",
            f"http://localhost:{port}/base/x",
            f"http://{address}@evil.example/x",
            "http://[broken/x",
            "ftp://evil.example/x",
        ):
            with pytest.raises(BadAnswer) as caught:
                client.request("GET", other, route="x")
            assert caught.value.code == "other_origin"
        assert client.calls == {"x": 1}


def test_a_path_can_not_lead_to_another_host() -> None:
    seen: list[bytes] = []

    def note(peer: Peer) -> None:
        seen.append(read_request(peer))
        peer.sendall(answer())

    with raw_server(note, read_first=False) as address:
        for path in ("//evil.example/x", "@evil.example/x", "\\\\evil.example", "x?u=http://evil.example"):
            assert transport(address).request("GET", path, route="x").status == 200
    assert len(seen) == 4
    assert all(request.startswith(b"GET /base/") for request in seen)


# TLS


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with _tls_server(tmp_path) as port:
        client = Transport("Shop", base_url=f"https://localhost:{port}", allow_private=True)
        with pytest.raises(ConnectionFailed) as caught:
            client.request("PUT", "x", route="x", writes=True)
    assert caught.value.code == "tls"
    assert "self-signed" in str(caught.value)
    assert not caught.value.outcome_unknown
    assert client.calls == {}


def test_a_server_that_does_not_speak_tls_is_told() -> None:
    with raw_server(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), read_first=False) as address:
        client = Transport("Shop", base_url=f"https://{address}", allow_private=True)
        with pytest.raises(ConnectionFailed) as caught:
            client.request("GET", "x", route="x")
    assert caught.value.code == "tls"


def test_a_tls_handshake_that_drips_ends_at_the_connect_timeout() -> None:
    hello = b"\x16\x03\x03\x40\x00"  # a record of 16 KiB that never comes whole
    with raw_server(trickles(hello, b"\x02"), read_first=False) as address:
        client = Transport("Shop", base_url=f"https://{address}", allow_private=True, connect_timeout=0.5)
        begun = time.monotonic()
        with pytest.raises(RemoteTimeout) as caught:
            client.request("PUT", "x", route="x", writes=True)
        assert time.monotonic() - begun < 3
    assert not caught.value.outcome_unknown


# The gate


class CountingGate:
    def __init__(self, open_for: int = 99) -> None:
        self.inside, self.left, self.learnt = 0, open_for, list[tuple[int, str | None]]()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self.left:
            raise MustWait(3, "the limit")
        self.left -= 1
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    def enter(self, route: str, writes: bool) -> AbstractContextManager[object]:
        return self._place()

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        assert self.inside == 1
        self.learnt.append((status, headers.get("x-left")))


def test_the_gate_is_held_for_the_call_and_told_of_every_answer() -> None:
    gate = CountingGate()
    with raw_server(says(answer(b"{}", "200 OK", "X-Left: 5")), says(answer(b"", "500 No"))) as address:
        get(address, gate=gate)
        failing(address, gate=gate)
    assert gate.learnt == [(200, "5"), (500, None)]
    assert gate.inside == 0


def test_a_shut_gate_sends_nothing() -> None:
    with raw_server(says(answer())) as address:
        client = transport(address, gate=CountingGate(open_for=0))
        with pytest.raises(MustWait):
            client.request("GET", "x", route="x")
    assert client.calls == {}


def test_a_failed_call_leaves_the_gate() -> None:
    gate = CountingGate()
    with raw_server(resets()) as address:
        failing(address, gate=gate)
    assert gate.inside == 0


@contextmanager
def _tls_server(folder: Path) -> Iterator[int]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    _make_certificate(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def shake_hands(peer: Peer) -> None:
        context.wrap_socket(peer, server_side=True).close()

    with raw_server(shake_hands, read_first=False) as address:
        yield int(address.rpartition(":")[2])


def _make_certificate(key_file: Path, certificate_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
