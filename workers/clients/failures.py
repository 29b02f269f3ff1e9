"""From what requests, urllib3 and sockets raise to the one tree of errors."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator

import requests
import urllib3

from workers.clients.connection import Exchange, NoConnection
from workers.errors import BadAnswer, ConnectionFailed, RemoteError, RemoteTimeout

CAUGHT = (
    NoConnection,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # http.client refuses a header or a method this way
)

_CUT_SHORT = (
    urllib3.exceptions.IncompleteRead,
    urllib3.exceptions.InvalidChunkLength,
    http.client.IncompleteRead,
)


def failure(error: BaseException, exchange: Exchange, what: str, *, writes: bool) -> RemoteError:
    """The typed error for a request that got no whole answer. Only what was sent can have been applied."""
    causes = list(_causes(error))
    unknown = writes and exchange.sent
    for cause in causes:
        if isinstance(cause, NoConnection):
            return _not_connected(cause, what)
    if exchange.over or _any(causes, TimeoutError, urllib3.exceptions.TimeoutError):
        stage = "waiting for the answer" if exchange.sent else "while connecting"
        return RemoteTimeout(f"{what}: timed out {stage}", outcome_unknown=unknown)
    if _any(causes, ssl.SSLError, ssl.CertificateError):
        return ConnectionFailed(f"{what}: TLS failed: {_tls(causes)}", code="tls", outcome_unknown=unknown)
    if _any(causes, ConnectionError):
        return ConnectionFailed(f"{what}: the connection was reset", code="reset", outcome_unknown=unknown)
    if _any(causes, *_CUT_SHORT):
        return BadAnswer(f"{what}: the answer was cut short", code="truncated", outcome_unknown=unknown)
    if exchange.answered:
        return BadAnswer(f"{what}: the answer is not valid HTTP", code="not_http", outcome_unknown=unknown)
    return ConnectionFailed(f"{what}: the connection failed", code="connect", outcome_unknown=unknown)


def _not_connected(cause: NoConnection, what: str) -> RemoteError:
    if cause.code == "timeout":
        return RemoteTimeout(f"{what}: timed out: {cause}")
    return ConnectionFailed(f"{what}: {cause}", code=cause.code, permanent=cause.code == "address")


def _any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that is wrapped in it: requests keeps urllib3's error as an argument."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]


def _tls(causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not accepted: {cause.verify_message}"
    return "no common protocol, or the other side does not speak TLS"
