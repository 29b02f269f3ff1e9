"""The settings of the alerts' channels: what an address of each must look like. Errors repeat no value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from models.config import settings

StartTls = Literal["auto", "required", "never"]

MOST_ADDRESSES = 20
LONGEST = 2000  # characters
SMTP_PORT, SMTPS_PORT = 587, 465
_MAILBOX = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)


class ChannelError(ValueError):
    """What is wrong with an address, and an example."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail is handed in. tls: from the first byte. starttls: auto takes it wherever it is offered."""

    host: str
    port: int
    tls: bool
    starttls: StartTls
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)


def webhook_url(value: Any) -> str:
    """An incoming webhook's address. Teams' have a query, Slack's none. Raises ChannelError."""
    text = _line(
        value, "must be an address that begins with https://, such as https://hooks.slack.com/services/..."
    )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or port == 0 or parts.fragment or "@" in parts.netloc:
        raise ChannelError("must be a whole address without user name or fragment: https://host/path")
    if parts.scheme == "http" and settings().allow_private_addresses and is_private(host):
        return text
    if parts.scheme != "https":
        raise ChannelError("must begin with https://")
    return text


def is_private(host: str) -> bool:
    """Whether a host is this machine or in this network, as far as its name tells."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".svc"))


def mail_server(value: Any) -> MailServer:
    """Read smtp://user:password@host:587 or smtps://...:465. Raises ChannelError."""
    text = _line(value, "must be an address such as smtp://user:password@smtp.example.com:587")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise ChannelError(
            "can't be read: in a password, write : / ? # @ and % as %3A %2F %3F %23 %40 and %25"
        ) from None
    if parts.scheme not in ("smtp", "smtps"):
        raise ChannelError("must begin with smtp:// (STARTTLS) or smtps:// (TLS from the start)")
    if not host or port == 0:
        raise ChannelError("has no host: give it as smtp://user:password@smtp.example.com:587")
    if parts.path.strip("/") or parts.fragment:
        raise ChannelError("must end after the port; in a password, write / ? # and @ as %2F %3F %23 and %40")
    starttls = options.pop("starttls", "auto")
    if options or starttls not in ("auto", "required", "never"):
        raise ChannelError("takes one option only: ?starttls=auto, required or never")
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    if (user is None) != (password is None) or user == "":
        raise ChannelError("must have both user and password, or neither")
    tls = parts.scheme == "smtps"
    return MailServer(host, port or (SMTPS_PORT if tls else SMTP_PORT), tls, starttls, user, password)  # type: ignore[arg-type]


def mailboxes(value: Any) -> list[str]:
    """Addresses with commas between them. Raises ChannelError."""
    text = _line(value, "must be e-mail addresses with commas between them")
    found = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(_MAILBOX.fullmatch(one) for one in found):
        raise ChannelError("must be e-mail addresses with commas between them, such as stock@example.com")
    if len(found) > MOST_ADDRESSES:
        raise ChannelError(f"must be {MOST_ADDRESSES} e-mail addresses at most")
    return found


def mailbox(value: Any) -> str:
    """One address. Raises ChannelError."""
    if not isinstance(value, str) or not _MAILBOX.fullmatch(value):
        raise ChannelError("must be one e-mail address, such as inventory-sync@example.com")
    return value


def _line(value: Any, wanted: str) -> str:
    if not isinstance(value, str) or not value or len(value) > LONGEST:
        raise ChannelError(wanted)
    if not value.isprintable() or not value.isascii():
        raise ChannelError(f"{wanted}, in plain letters, digits and signs")
    return value


CHECKS = {"webhook": webhook_url, "smtp": mail_server, "mailboxes": mailboxes, "mailbox": mailbox}
"""Kind of a setting -> what refuses a wrong value."""
