"""One POST to a receiver: no redirects, no proxy, a connection of its own."""

from __future__ import annotations

import http.client
import ipaddress
import socket
from urllib.parse import urlsplit

from .parcels import Prepared

READ_BYTES = 65_536  # of an answer's body; nobody looks at it


class NotSentError(Exception):
    """The request was not made, or got no answer; the message says which."""


def post(request: Prepared, timeout: float) -> int:
    """The status of the answer. Raises NotSentError."""
    parts = urlsplit(request.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotSentError(f"not a URL to post to: {request.url}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        _check_near(parts.hostname, port)
        connection = make(parts.hostname, port, timeout=timeout)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", parts.netloc.rpartition("@")[2])
            for name, value in request.headers.items():
                connection.putheader(name, value.encode("latin-1", "replace"))
            connection.putheader("Content-Length", str(len(request.body)))
            connection.putheader("Connection", "close")
            connection.endheaders(request.body)
            answer = connection.getresponse()
            answer.read(READ_BYTES)
            return answer.status
        finally:
            connection.close()
    except TimeoutError:
        raise NotSentError(f"no answer within {timeout:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSentError(f"{type(error).__name__}: {error}") from None


def _check_near(host: str, port: int) -> None:
    """Simulators call nobody in the world: only this machine and private networks. Raises NotSentError."""
    for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not ipaddress.ip_address(str(found[4][0]).partition("%")[0]).is_private:
            raise NotSentError(f"not sent: {host} is neither on this machine nor on a private network")
