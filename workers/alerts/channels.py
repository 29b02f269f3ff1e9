"""Where alerts go: which channels are set up, and one message by one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from models import setting
from models.channel_settings import mail_server, mailboxes
from models.crypto import UndecryptableError
from workers import clock
from workers.alerts import mail, webhook
from workers.alerts.message import Message
from workers.clients.addresses import check_url
from workers.errors import ConfigurationError, Conflict, RemoteError

WEBHOOK = "webhook"
EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a test message by one channel."""

    channel: str
    ok: bool
    message: str


def configured() -> list[str]:
    """The channels that are set up whole."""
    found = setting.read_all()
    channels = [WEBHOOK] if found["alert_webhook_url"] is not None else []
    if found["alert_email_to"] is not None and found["smtp_url"] is not None:
        channels.append(EMAIL)
    return channels


def deliver(channel: str, message: Message) -> str:
    """Send one message by one channel, as it is set up now; gives what the other side said.

    Raises ConfigurationError where it isn't set up (any more), RemoteError, UndecryptableError.
    """
    return _CHANNELS[channel](setting.read_all(), message)


def test(*, requested_by: str) -> list[Trial]:
    """Send a test by every channel at once, past the ledger: whoever asks waits for what happens.

    Raises Conflict (`no_channel`) where none is set up.
    """
    channels = configured()
    if not channels:
        raise Conflict(
            "no_channel", "no channel is set up: set alert_webhook_url, or both alert_email_to and smtp_url"
        )
    now = clock.now()
    sentence = f"this is what an alert looks like; {requested_by} asked for it"
    message = Message(0, 0, "test", "test", "test", sentence, now.isoformat(), None, {})
    return [_tried(channel, message) for channel in channels]


def check_address(key: str, value: Any) -> None:
    """Refuse an address that leads where none may lead. Raises ConfigurationError, which names the setting.

    Names are looked up, and checked again, as they are connected to.
    """
    if key == "alert_webhook_url" and value is not None:
        check_url(urlsplit(value)._replace(query="").geturl(), key)
    elif key == "smtp_url" and value is not None:
        server = mail_server(value)
        host = f"[{server.host}]" if ":" in server.host else server.host
        check_url(f"https://{host}:{server.port}", key)


def _tried(channel: str, message: Message) -> Trial:
    try:
        return Trial(channel, True, deliver(channel, message))
    except (ConfigurationError, RemoteError, UndecryptableError) as error:
        return Trial(channel, False, str(error))


def _by_webhook(found: Mapping[str, Any], message: Message) -> str:
    secret = found["alert_webhook_url"]
    if secret is None:
        raise ConfigurationError("alert_webhook_url", "is not set")
    return webhook.post(secret.reveal(), message)


def _by_email(found: Mapping[str, Any], message: Message) -> str:
    secret, to = found["smtp_url"], found["alert_email_to"]
    if secret is None or to is None:
        raise ConfigurationError("smtp_url" if secret is None else "alert_email_to", "is not set")
    recipients = mailboxes(to)
    return mail.send(
        mail_server(secret.reveal()), found["alert_email_from"] or recipients[0], recipients, message
    )


_CHANNELS: Mapping[str, Callable[[Mapping[str, Any], Message], str]] = {
    WEBHOOK: _by_webhook,
    EMAIL: _by_email,
}
