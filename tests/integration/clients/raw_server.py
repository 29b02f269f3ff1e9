"""A server of bytes, for answers that no HTTP library would send."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Peer = socket.socket
Behaviour = Callable[[Peer], object]


@contextmanager
def raw_server(*behaviours: Behaviour, read_first: bool = True) -> Iterator[str]:
    """`host:port` of a server: its nth connection is the nth of `behaviours`, later ones are the last.

    read_first: a request is read before the behaviour begins. The connection closes when it returns.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    closing = threading.Event()

    def serve() -> None:
        number = 0
        while not closing.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            behaviour = behaviours[min(number, len(behaviours) - 1)]
            number += 1
            threading.Thread(target=_behave, args=(peer, behaviour, read_first), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        closing.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _behave(peer: Peer, behaviour: Behaviour, read_first: bool) -> None:
    with peer, suppress(OSError):
        if read_first:
            read_request(peer)
        behaviour(peer)


def read_request(peer: Peer) -> bytes:
    """One request, head and body; empty where the peer went away."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65_536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += peer.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """A whole answer; `length` to promise another number of bytes than are sent."""
    promised = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {promised}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def says(*parts: bytes) -> Behaviour:
    """Sends these bytes and closes."""
    return lambda peer: peer.sendall(b"".join(parts))


def resets(after: bytes = b"") -> Behaviour:
    """Sends some bytes, then resets the connection."""

    def behave(peer: Peer) -> None:
        if after:
            peer.sendall(after)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def trickles(head: bytes, piece: bytes = b" ", every: float = 0.05) -> Behaviour:
    """Sends a head, then a piece again and again until the client goes."""

    def behave(peer: Peer) -> None:
        pause = threading.Event()
        peer.sendall(head)
        while not pause.wait(every):
            peer.sendall(piece)

    return behave


def silent(peer: Peer) -> None:
    """Says nothing until the client goes."""
    while peer.recv(65_536):
        pass
