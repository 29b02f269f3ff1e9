"""Who gets alerts: a real HTTP server and a real SMTP server, each on a free port, that keep what they are told."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.fleet import free_port

USER, PASSWORD = "alerts@example.com", "the mail password: p@ss/word?"
URL_SECRET = "T0SECRET/B0SECRET/xXsecretXxsecretXx"

_Answer = tuple[int, Mapping[str, str], bytes]


class WebhookReceiver:
    """Takes JSON as Slack does. `answers`: the next statuses with their headers; after them 200."""

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.refused = 0
        self.answers: list[_Answer] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.headers["Content-Type"] == "application/json"
                known = self.path.split("?")[0] == f"/services/{URL_SECRET}"
                otherwise: _Answer = (200, {}, b"ok") if known else (404, {}, b"no_service")
                status, headers, said = receiver.answers.pop(0) if receiver.answers else otherwise
                if status == 200 and known:
                    receiver.bodies.append(body)
                else:
                    receiver.refused += 1
                self.send_response(status)
                for name, value in {"Content-Type": "text/plain", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = self.url_at(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @staticmethod
    def url_at(port: int) -> str:
        """Its address on a port."""
        return f"http://127.0.0.1:{port}/services/{URL_SECRET}"

    @property
    def texts(self) -> list[str]:
        """What a person reads, in the order of arrival."""
        return [str(body["text"]) for body in self.bodies]

    def will_answer(self, status: int, headers: Mapping[str, str] | None = None, said: bytes = b"") -> None:
        """Answer the next one so."""
        self.answers.append((status, headers or {}, said))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class MailReceiver:
    """A small SMTP server. tls: None, `starttls` or `smtps`. `refuse`: a command and the answer to it."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> None:
        self.emails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.signed_in: list[str] = []
        self.refuse: dict[str, str] = {}
        self.silent_at: str | None = None
        self.drips = False  # where it is silent else
        self.over = threading.Event()
        self.tls, self.at_once = tls, at_once
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _Conversation(receiver, self.request).hold()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class _Conversation:
    def __init__(self, receiver: MailReceiver, connection: Any) -> None:
        self._receiver, self._connection = receiver, connection
        self._encrypted = False
        self._to: list[str] = []

    def hold(self) -> None:
        try:
            if self._receiver.at_once:
                self._encrypt()
            self._file = self._connection.makefile("rb")
            self._say("220 ready")
            while (line := self._file.readline()) and self._answer(line.decode().rstrip("\r\n")):
                pass
        except (OSError, ssl.SSLError):
            pass

    def _answer(self, line: str) -> bool:
        command = line.split(" ")[0].split(":")[0].upper()
        if command == self._receiver.silent_at:
            while not self._receiver.over.wait(0.05):
                if self._receiver.drips:
                    self._connection.sendall(b"3")
            return False
        if command in self._receiver.refuse:
            self._say(self._receiver.refuse[command])
        elif command == "EHLO":
            offered = ["250-simulated", "250-AUTH PLAIN"]
            if self._receiver.tls is not None and not self._encrypted:
                offered.append("250-STARTTLS")
            self._say("\r\n".join([*offered, "250 8BITMIME"]))
        elif command == "STARTTLS":
            self._say("220 go ahead")
            self._encrypt()
            self._file = self._connection.makefile("rb")
        elif command == "AUTH":
            self._sign_in(line)
        elif command == "RCPT":
            self._to.append(line.partition("<")[2].rstrip(">"))
            self._say("250 ok")
        elif command == "DATA":
            self._take()
        else:
            self._say("221 bye" if command == "QUIT" else "250 ok")
        return command != "QUIT"

    def _sign_in(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        if (user, password) == (USER, PASSWORD):
            self._receiver.signed_in.append(user)
            self._say("235 welcome")
        else:
            self._say(f"535 5.7.8 not with {password}")

    def _take(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self._file.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        found = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(found, EmailMessage)
        self._receiver.emails.append(found)
        self._receiver.recipients.append(self._to)
        self._receiver.encrypted.append(self._encrypted)
        self._say("250 taken")

    def _encrypt(self) -> None:
        assert self._receiver.tls is not None
        self._connection = self._receiver.tls.wrap_socket(self._connection, server_side=True)
        self._encrypted = True

    def _say(self, text: str) -> None:
        self._connection.sendall(text.encode() + b"\r\n")


def nowhere() -> str:
    """An address where nobody listens."""
    return WebhookReceiver.url_at(free_port())
