"""Connections that keep a total deadline and look at the address they connect to.

urllib3's timeouts are per read, so an answer that drips one byte at a time never ends. Here every read of the
status line, the headers and the body waits no longer than what is left of the call's deadline.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from workers.clients.addresses import refusal

POOL_SIZE = 8  # connections kept per host: as many as a worker process has threads
MAX_IDLE = 4.0  # seconds; Apache closes at 5, and a request sent into that moment has an unknown outcome

SEND_BYTES = 16_384  # one TLS record


class NoConnection(Exception):  # noqa: N818 - becomes a ConnectionFailed with the call's name in front
    """No connection could be made. `code` as in ConnectionFailed, or `timeout`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Exchange:
    """One request on its way: how long it may take, and how far it came."""

    seconds: float
    connect_timeout: float
    read_timeout: float
    allow_private: bool
    sent: bool = False  # something may have reached the server
    reused: bool = False  # on a kept-alive connection, which the server may just have closed
    answered: bool = False  # at least one byte came back
    touched: float = field(default_factory=time.monotonic)  # when the last byte came
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = self.touched + self.seconds

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.deadline

    def patience(self, most: float) -> float:
        """Seconds that one blocking step may take. Raises TimeoutError where none are left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's deadline passed")
        return min(most, left)


_local = threading.local()  # urllib3 offers no way to hand a deadline down to its connections


@contextmanager
def underway(exchange: Exchange) -> Iterator[None]:
    """Make `exchange` the one that this thread's connections keep to."""
    _local.exchange = exchange
    try:
        yield
    finally:
        _local.exchange = None


def _current() -> Exchange:
    exchange: Exchange | None = getattr(_local, "exchange", None)
    assert exchange is not None, "connections of this module are used through Transport only"
    return exchange


class _PatientReader(io.RawIOBase):
    """The socket's reader, with the timeout of each read cut to what is left of the deadline."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.patience(self._exchange.read_timeout))
        count = self._raw.readinto(buffer)
        if count:
            self._exchange.answered = True
            self._exchange.touched = time.monotonic()
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PatientResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_PatientReader(sock, _current()))


class _Guarded(HTTPConnection):
    """What the plain and the TLS connection share."""

    response_class = _PatientResponse
    _last: Exchange | None = None  # the exchange before this one on the same connection

    def _new_conn(self) -> socket.socket:
        self._last = None
        return open_socket(self._dns_host, self.port or self.default_port, _current(), self.socket_options)

    def request(self, *args: Any, **kwargs: Any) -> None:
        exchange = _current()
        exchange.reused = self._last is not None
        super().request(*args, **kwargs)
        self._last = exchange

    def send(self, data: Any) -> None:
        """In pieces, since a TLS socket's timeout counts anew for each of its records."""
        exchange = _current()
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), SEND_BYTES):
            self.sock.settimeout(exchange.patience(exchange.read_timeout))
            exchange.sent = True
            super().send(data[start : start + SEND_BYTES])

    @property
    def is_connected(self) -> bool:
        """False also where the connection idled so long that the server may be about to close it."""
        idle = time.monotonic() - self._last.touched if self._last else 0.0
        return idle < MAX_IDLE and super().is_connected

    def close(self) -> None:
        self._last = None
        super().close()


class _GuardedTLS(_Guarded, HTTPSConnection):
    _watched: socket.socket | None = None
    _gave_up = False

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._watched = sock.dup()  # wrapping detaches `sock`; shutting its twin down ends the handshake
        return sock

    def connect(self) -> None:
        """A TLS handshake waits per record, so another thread ends it when the connect timeout is over."""
        exchange = _current()
        watch = threading.Timer(exchange.patience(exchange.connect_timeout), self._give_up)
        watch.daemon = True
        watch.start()
        try:
            super().connect()
        except OSError:
            if self._gave_up:
                raise NoConnection("timeout", "no TLS handshake within the connect timeout") from None
            raise
        finally:
            watch.cancel()
            if self._watched is not None:
                self._watched.close()
                self._watched = None

    def _give_up(self) -> None:
        self._gave_up = True
        with suppress(OSError, AttributeError):  # the handshake ended just now
            self._watched.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


class GuardedAdapter(HTTPAdapter):
    """Plugs these connections into a requests.Session. No retries: callers know what is safe to repeat."""

    def __init__(self) -> None:
        super().__init__(pool_connections=2, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def open_socket(host: str, port: int, exchange: Exchange, options: Any) -> socket.socket:
    """Connect to the first address that is allowed and answers. Raises NoConnection."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoConnection("dns", "the host's name can't be resolved (DNS)") from None
    reasons = [refusal(str(entry[4][0]), allow_private=exchange.allow_private) for entry in found]
    allowed = [entry for entry, reason in zip(found, reasons, strict=True) if reason is None]
    if not allowed:
        raise NoConnection("address", f"the host {reasons[0] if reasons else 'has no address'}")
    last: Exception | None = None
    for family, kind, protocol, _, address in allowed:
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(exchange.patience(exchange.connect_timeout))
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    if isinstance(last, TimeoutError):
        raise NoConnection("timeout", "no connection within the connect timeout")
    detail = (last.strerror if isinstance(last, OSError) else None) or "no connection"
    raise NoConnection("connect", f"the connection failed: {detail.lower()}")
