"""One HTTP exchange: the request as it was read, the answer as it will be written."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote

MAX_HEAD_LINE = 65_536  # bytes; far above the longest URL a vendor takes, so that 414 is the vendor's to say
MAX_BODY = 64 * 1024 * 1024  # bytes


class BadRequestError(Exception):
    """The peer did not speak HTTP/1.1; the connection is closed."""


@dataclass
class Request:
    """A request. Header names are lower case; `path` is percent-decoded, `target` is as sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    secure: bool = False
    received_at: float = field(default_factory=time.time)
    params: dict[str, str] = field(default_factory=dict)

    @cached_property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @cached_property
    def raw_query(self) -> str:
        return self.target.partition("?")[2]

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Query pairs in order; `+` reads as a space, as every vendor's server does."""
        return parse_qsl(self.raw_query, keep_blank_values=True)

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(self.pairs)

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass
class Response:
    """An answer. `body` is what is sent, byte for byte."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def head(self, keep_alive: bool = True, length: int | None = None) -> bytes:
        """The status line and headers; `length` overrides the honest Content-Length."""
        lines = [f"HTTP/1.1 {self.status} {reason_of(self.status)}"]
        if self.body or self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Type: {self.content_type}")
        lines.append(f"Content-Length: {len(self.body) if length is None else length}")
        lines.extend(f"{name}: {value}" for name, value in self.headers.items())
        lines.append("Connection: keep-alive" if keep_alive else "Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class RefusalError(Exception):
    """Raised anywhere below a handler to answer with `response` at once."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def reason_of(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, json.dumps(value, ensure_ascii=False).encode(), headers=dict(headers or {}))


def html_response(status: int, title: str, headers: Mapping[str, str] | None = None) -> Response:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(status, page.encode(), "text/html; charset=utf-8", dict(headers or {}))


def read_request(stream: BinaryIO, secure: bool) -> Request | None:
    """The next request of a kept-alive connection; None where the peer has closed it."""
    line = stream.readline(MAX_HEAD_LINE)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3:
        raise BadRequestError(f"not a request line: {line[:80]!r}")
    headers = _read_headers(stream)
    if "transfer-encoding" in headers:
        raise BadRequestError("chunked request bodies are not simulated")
    length = int(headers.get("content-length", "0") or 0)
    if length > MAX_BODY:
        raise BadRequestError("body too large")
    body = stream.read(length) if length else b""
    if len(body) < length:
        return None
    target = re.sub(r"^https?://[^/]+", "", parts[1]) or "/"
    return Request(parts[0].upper(), target, headers, body, secure)


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while True:
        line = stream.readline(MAX_HEAD_LINE)
        if line in (b"\r\n", b"\n", b""):
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()


def peer_has_gone(connection: socket.socket) -> bool:
    """Whether the client closed its end: a request that nobody waits for any more.

    A client that waits for an answer sends nothing, so readable means closed; plain sockets are peeked.
    """
    poller = select.poll()
    try:
        poller.register(connection, select.POLLIN)
        if not poller.poll(0):
            return False
        if type(connection) is not socket.socket:
            return True
        return connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
