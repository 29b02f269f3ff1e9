"""Alerts as e-mail: encrypted wherever it can be, and each refusal in words that hold no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from models import config, setting
from models.database import rows
from tests.integration.alerts.receivers import PASSWORD, USER, MailReceiver
from tests.integration.alerts.watching import hurry, jobs, look, run, send_all
from tests.simulators.tls import self_signed
from workers.alerts import channels, mail

LOGIN = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@"


@pytest.fixture
def plain(database: str) -> Iterator[MailReceiver]:
    """A server that can't encrypt."""
    with MailReceiver() as running:
        yield running


@pytest.fixture(params=["starttls", "smtps"])
def encrypting(
    request: pytest.FixtureRequest, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailReceiver]:
    """A server that can, and whose certificate is trusted."""
    context, certificate = self_signed()
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with MailReceiver(context, at_once=request.param == "smtps") as running:
        yield running


def use(server: MailReceiver, login: str = "", options: str = "") -> None:
    """Send alerts through this server."""
    scheme = "smtps" if server.at_once else "smtp"
    setting.change("smtp_url", f"{scheme}://{login}127.0.0.1:{server.port}{options}")
    setting.change("alert_email_to", "stock@example.com, night@example.com")
    setting.change("alert_email_from", "inventory-sync@example.com")


def tried() -> tuple[bool, str]:
    """What the test message by e-mail came to."""
    (trial,) = channels.test(requested_by="a test")
    assert trial.channel == "email"
    return trial.ok, trial.message


def test_an_alert_its_change_and_its_end_arrive_encrypted(encrypting: MailReceiver, site_id: int) -> None:
    use(encrypting, LOGIN)
    for status, error in (
        ("failed", "first\r\nBcc: everybody@example.com"),
        ("failed", "second"),
        ("completed", None),
    ):
        run(site_id, status, error)
        look()
        assert look() == 0

    assert jobs("pending") == []
    assert [email["Subject"] for email in encrypting.emails] == [
        "[Inventory Sync] Alert: The sync of Outlet failed: first Bcc: everybody@example.com",
        "[Inventory Sync] Changed: The sync of Outlet failed: second",
        "[Inventory Sync] Resolved: The sync of Outlet failed: second",
    ]
    assert encrypting.recipients == [["stock@example.com", "night@example.com"]] * 3
    assert {email["From"] for email in encrypting.emails} == {"inventory-sync@example.com"}
    assert len({email["Message-ID"] for email in encrypting.emails}) == 3
    assert all(email["Bcc"] is None for email in encrypting.emails)
    assert "Kind: run_failed" in encrypting.emails[0].get_content()
    assert (set(encrypting.encrypted), set(encrypting.signed_in)) == ({True}, {USER})
    assert rows("SELECT email_change, email_sent_at IS NOT NULL, webhook_change FROM rm_alerts") == [
        (3, True, None)
    ]


def test_a_server_that_can_not_encrypt_gets_a_password_only_where_somebody_says_so(
    plain: MailReceiver,
) -> None:
    use(plain)
    assert tried() == (True, "taken for 2 recipients")
    for login, options in ((LOGIN, ""), ("", "?starttls=required")):
        use(plain, login, options)
        ok, message = tried()
        assert not ok
        assert message.startswith("the mail server offers no STARTTLS")
    assert (plain.signed_in, plain.encrypted) == ([], [False])

    use(plain, LOGIN, "?starttls=never")

    assert tried()[0]
    assert plain.signed_in == [USER]


def test_a_certificate_that_nobody_vouches_for_is_refused(database: str) -> None:
    with MailReceiver(self_signed()[0]) as server:
        use(server, LOGIN)

        ok, message = tried()

    assert not ok
    assert message.startswith("the mail server: its certificate is not accepted: ")
    assert server.signed_in == []


def test_a_wrong_password_is_told_without_repeating_it(plain: MailReceiver) -> None:
    use(plain, f"{quote(USER, safe='')}:another-password@", "?starttls=never")

    assert tried() == (False, "the mail server refuses the user or the password: 535 5.7.8 not with ***")


def test_what_the_server_puts_off_or_refuses_is_sent_later(plain: MailReceiver, site_id: int) -> None:
    use(plain)
    run(site_id, "failed", "down")
    for command, answer, said in (
        ("RCPT", "550 no such user", "the mail server takes it for no recipient: 550 no such user"),
        ("MAIL", "451 later", "the mail server refuses: 451 later"),
        ("DATA", "554 spam", "the mail server refuses: 554 spam"),
    ):
        plain.refuse = {command: answer}
        look()
        assert jobs("pending") == [said]
        hurry()

    plain.refuse = {}
    send_all()

    assert len(plain.emails) == 1
    assert jobs("pending") == []


def test_a_server_that_falls_silent_or_drips_is_waited_for_so_long_and_no_longer(
    plain: MailReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(plain)
    monkeypatch.setattr(mail, "STEP_SECONDS", 0.3)
    for command in ("EHLO", "DATA"):
        plain.silent_at = command
        assert tried() == (False, "the mail server: timed out")

    monkeypatch.setattr(mail, "STEP_SECONDS", 30.0)
    monkeypatch.setattr(mail, "DEADLINE_SECONDS", 1.0)
    plain.silent_at, plain.drips = "DATA", True

    assert tried() == (False, "the mail server: timed out")


def test_a_private_address_is_refused_at_the_connection_too(
    plain: MailReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(plain)
    monkeypatch.setenv("ALLOW_PRIVATE_ADDRESSES", "false")
    config.settings.cache_clear()

    ok, message = tried()

    assert not ok
    assert "loopback or private address" in message
