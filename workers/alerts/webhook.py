"""Alerts as JSON to one address, such as Slack's and Teams' incoming webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from workers.alerts.message import Message
from workers.clients.addresses import origin
from workers.clients.answers import Answer
from workers.clients.http import LEAST_SECRET, Transport

CONNECT_SECONDS = 5.0
DEADLINE_SECONDS = 15.0
_SUCCESS = range(200, 300)


class _Receiver(Transport):
    """The receiver's own words are a short text: Slack says `no_service`."""

    def explain(self, answer: Answer) -> tuple[str | None, str] | None:
        if "text/plain" not in answer.headers.get("Content-Type", ""):
            return None
        return None, answer.body.decode("utf-8", "replace")[:200]


def post(url: str, message: Message) -> str:
    """Post one message; gives what the receiver said. Raises RemoteError, which never repeats the address."""
    scheme, host, port = origin(url)
    client = _Receiver(
        "the alert webhook",
        base_url=f"{scheme}://{_bracketed(host)}:{port}",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=DEADLINE_SECONDS,
        deadline=DEADLINE_SECONDS,
        secrets=set(_secrets(url)),
    )
    try:
        answer = client.request("POST", url, route="alert", json=message.body(), writes=True, expect=_SUCCESS)
        return f"answered {answer.status}"
    finally:
        client.close()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _secrets(url: str) -> Iterator[str]:
    """The address and each part of it that may be the secret; an answer may repeat any of them."""
    parts = urlsplit(url)
    path_and_query = url.partition(parts.netloc)[2]
    yield from (url, path_and_query, parts.path, parts.query)
    for piece in path_and_query.replace("?", "/").replace("&", "/").replace("=", "/").split("/"):
        if len(piece) >= LEAST_SECRET:
            yield from (piece, unquote(piece))
