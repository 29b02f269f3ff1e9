"""A small threaded HTTP/1.1 server: keep-alive, TCP_NODELAY, optional TLS, a thread a connection.

The standard library's http.server parses headers with the e-mail package, which costs more than most
answers here; the simulators share two cores with what they test.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import traceback
from typing import Protocol

from .wire import BadRequestError, Response, peer_has_gone, read_request

# In a cluster (k8s/overlays/demo) others have to reach them, by the name of their Service.
LISTEN = os.environ.get("SIMULATORS_LISTEN", "127.0.0.1")
HOST = os.environ.get("SIMULATORS_HOST", "127.0.0.1")
BACKLOG = 256  # connections waiting to be accepted: a client fleet may open dozens at once


class Connection:
    """The server's end of one connection, with the ways it may misbehave."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def send(self, response: Response, keep_alive: bool = True) -> bool:
        """Writes a whole answer; False where the peer has gone."""
        head = response.head(keep_alive)
        try:
            if len(response.body) < 65_536:
                self.socket.sendall(head + response.body)
            else:
                self.socket.sendall(head)
                self.socket.sendall(response.body)
        except OSError:
            return False
        return keep_alive

    def send_raw(self, data: bytes) -> bool:
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def reset_on_close(self) -> None:
        """Makes the close that follows a TCP reset instead of an orderly end."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def peer_has_gone(self) -> bool:
        return peer_has_gone(self.socket)


class Servant(Protocol):
    """What answers requests."""

    def serve(self, request: object, connection: Connection) -> bool:
        """Answers on the connection; True keeps it open."""
        ...


class HttpServer(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1, or where LISTEN says; port 0 takes any free one."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG

    def __init__(self, servant: Servant, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.servant = servant
        self.tls = tls
        super().__init__((LISTEN, port), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}"

    def start(self) -> None:
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True, name=f"accept-{self.port}"
        ).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Closes without a FIN of its own, so that a connection marked for reset is really reset."""
        if isinstance(request, socket.socket):
            request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        traceback.print_exc(file=sys.stderr)


class _Handler(socketserver.BaseRequestHandler):
    server: HttpServer

    def handle(self) -> None:
        sock: socket.socket = self.request
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.server.tls is not None:
            try:
                sock = self.server.tls.wrap_socket(sock, server_side=True)
            except (ssl.SSLError, OSError):
                return  # a client that refuses the self-signed certificate
        stream = sock.makefile("rb", 65_536)
        try:
            self._serve(sock, stream)
        finally:
            with contextlib.suppress(OSError):
                stream.close()
            sock.close()

    def _serve(self, sock: socket.socket, stream: object) -> None:
        connection = Connection(sock)
        while True:
            try:
                request = read_request(stream, self.server.tls is not None)  # type: ignore[arg-type]
            except BadRequestError as error:
                connection.send(Response(400, str(error).encode(), "text/plain"), keep_alive=False)
                return
            except OSError:
                return
            if request is None or not self.server.servant.serve(request, connection):
                return
