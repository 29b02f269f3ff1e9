"""Alerts as e-mail, by the standard library's SMTP: TLS wherever it can be had, and an end to every wait."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import format_datetime

from models.channel_settings import MailServer
from workers import clock
from workers.alerts.message import Message
from workers.clients.addresses import private_allowed
from workers.clients.answers import one_line
from workers.clients.connection import Exchange, NoConnection, open_socket
from workers.errors import (
    AuthenticationRefused,
    ConnectionFailed,
    Refused,
    RemoteError,
    RemoteTimeout,
    Unavailable,
)

STEP_SECONDS = 10.0
DEADLINE_SECONDS = 45.0  # for all of it: smtplib's own timeout begins anew with every byte
SUBJECT_LENGTH = 150  # characters
_WHO = "the mail server"


def send(server: MailServer, sender: str, recipients: Sequence[str], message: Message) -> str:
    """Hand one message in; gives what became of it. Raises RemoteError, without the user or the password."""
    with _worded(server):
        client = _Client(server)
        try:
            with client.watched():
                client.open()
                refused = client.send_message(_email(sender, recipients, message), sender, list(recipients))
                with suppress(
                    smtplib.SMTPException, OSError
                ):  # it has the message: how it says goodbye is its own
                    client.quit()
        finally:
            client.close()
    if refused:
        return f"taken, but not for {len(refused)} of {len(recipients)} recipients"
    return f"taken for {len(recipients)} recipients"


class _Client(smtplib.SMTP):
    """Connects to allowed addresses only; encrypts before it says who it is."""

    def __init__(self, server: MailServer) -> None:
        name = socket.gethostname()
        super().__init__(timeout=STEP_SECONDS, local_hostname=name if "." in name else "[127.0.0.1]")
        self._server = server
        self._host = server.host  # whose name STARTTLS checks the certificate for
        self._twin: socket.socket | None = None
        self._gave_up = False

    def open(self) -> None:
        """Connect, encrypt, sign in."""
        server = self._server
        self.connect(server.host, server.port)
        self.ehlo_or_helo_if_needed()
        if not server.tls and server.starttls != "never":
            if self.has_extn("starttls"):
                self.starttls(context=ssl.create_default_context())
            elif server.starttls == "required" or server.password is not None:
                raise Refused(
                    f"{_WHO} offers no STARTTLS; smtp_url with ?starttls=never would send the password readable"
                )
        if server.user is not None and server.password is not None:
            self.login(server.user, server.password)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """End whatever is waited for once the deadline has passed."""
        watch = threading.Timer(DEADLINE_SECONDS, self._give_up)
        watch.daemon = True
        watch.start()
        try:
            yield
        except Exception:
            if self._gave_up:  # what it raised is only how a closed connection looks
                raise TimeoutError from None
            raise
        finally:
            watch.cancel()

    def close(self) -> None:
        super().close()
        if self._twin is not None:
            self._twin.close()

    def _give_up(self) -> None:
        self._gave_up = True
        with suppress(OSError, AttributeError):  # it ended just now
            self._twin.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        exchange = Exchange(DEADLINE_SECONDS, STEP_SECONDS, STEP_SECONDS, private_allowed())
        sock = open_socket(host, port, exchange, None)
        sock.settimeout(STEP_SECONDS)
        self._twin = sock.dup()  # TLS detaches the first one
        if self._server.tls:
            return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        return sock


def _email(sender: str, recipients: Sequence[str], message: Message) -> EmailMessage:
    email = EmailMessage()
    subject = (
        message.line if len(message.line) <= SUBJECT_LENGTH else message.line[: SUBJECT_LENGTH - 3] + "..."
    )
    email["Subject"] = f"[Inventory Sync] {subject}"
    email["From"] = sender
    email["To"] = ", ".join(recipients)
    email["Date"] = format_datetime(clock.now())
    # The same however often it is sent: a mailbox that has it shows it once.
    email["Message-ID"] = (
        f"<alert-{message.alert_id}.{message.change}.{message.at.replace(':', '')}@{_domain(sender)}>"
    )
    email["Auto-Submitted"] = "auto-generated"
    facts = [f"{name}: {value}" for name, value in message.details.items() if value is not None]
    lines = [
        message.line,
        "",
        f"Kind: {message.kind}",
        f"About: {message.subject}",
        f"At: {message.at}",
        *facts,
    ]
    email.set_content("\n".join(lines) + "\n")
    return email


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2]


@contextmanager
def _worded(server: MailServer) -> Iterator[None]:
    """Every failure as one of ours."""
    try:
        yield
    except RemoteError:
        raise
    except NoConnection as error:
        if error.code == "timeout":
            raise RemoteTimeout(f"{_WHO}: {error}") from None
        raise ConnectionFailed(
            f"{_WHO}: {error}", code=error.code, permanent=error.code == "address"
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        raise AuthenticationRefused(_said("refuses the user or the password", error, server)) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        refusal = smtplib.SMTPResponseException(code, text)
        kind = Refused if code >= 500 else Unavailable
        raise kind(_said("takes it for no recipient", refusal, server)) from None
    except smtplib.SMTPResponseException as error:
        kind = Refused if error.smtp_code >= 500 else Unavailable
        raise kind(_said("refuses", error, server)) from None
    except smtplib.SMTPNotSupportedError:
        raise Refused(f"{_WHO} offers no way to sign in") from None
    except ssl.SSLCertVerificationError as error:
        why = f"{_WHO}: its certificate is not accepted: {error.verify_message}"
        raise ConnectionFailed(why, code="tls") from None
    except TimeoutError:
        raise RemoteTimeout(f"{_WHO}: timed out") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        if isinstance(error.__context__, TimeoutError):  # smtplib's own errors hide it
            raise RemoteTimeout(f"{_WHO}: timed out") from None
        raise ConnectionFailed(f"{_WHO}: the connection was lost", code="reset") from None


def _said(what: str, error: smtplib.SMTPResponseException, server: MailServer) -> str:
    text = (
        error.smtp_error.decode("utf-8", "replace")
        if isinstance(error.smtp_error, bytes)
        else error.smtp_error
    )
    secrets = [part for part in (server.password, server.user) if part]
    secrets += [b64encode(part.encode()).decode() for part in secrets]
    return f"{_WHO} {what}: {error.smtp_code} {one_line(text, secrets)}"
