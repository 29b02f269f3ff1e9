"""Each change goes out once by each channel, in order, whoever is away meanwhile; and no secret with it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from models import config, setting
from models.database import execute, rows
from tests.fleet import Fleet, eventually, free_port
from tests.integration.alerts.receivers import PASSWORD, URL_SECRET, WebhookReceiver, nowhere
from tests.integration.alerts.watching import hurry, jobs, look, run, send_all
from tests.integration.ledger import helpers
from workers import dispatcher, log
from workers.alerts import channels
from workers.alerts.check import check
from workers.broker import broker, connect_sender
from workers.hints import hints


def test_many_dispatchers_at_once_tell_each_thing_once(receiver: WebhookReceiver, company_id: int) -> None:
    for number in range(5):
        run(helpers.site(company_id, f"Shop {number}"), "failed", "down")

    ends = helpers.at_once(*[check] * helpers.THREADS)

    assert sum(end for end in ends if isinstance(end, int)) == 5, ends
    send_all()
    assert sorted(receiver.texts) == [f"Alert: The sync of Shop {number} failed: down" for number in range(5)]


def test_what_a_receiver_that_was_down_missed_comes_whole_and_in_order(site_id: int) -> None:
    port = free_port()
    setting.change("alert_webhook_url", WebhookReceiver.url_at(port))
    for status, error in (("failed", "first"), ("failed", "second"), ("completed", None)):
        run(site_id, status, error)
        look()
    assert len(jobs("pending")) == 3
    assert jobs("pending")[0] == "the alert webhook POST alert: the connection failed: connection refused"

    with WebhookReceiver(port) as receiver:
        hurry()
        send_all(newest_first=True)
        assert receiver.texts == ["Alert: The sync of Outlet failed: first"], "the others waited for it"
        while jobs("pending"):
            assert send_all(newest_first=True), "each wakes the next one"

        assert receiver.texts == [
            "Alert: The sync of Outlet failed: first",
            "Changed: The sync of Outlet failed: second",
            "Resolved: The sync of Outlet failed: second",
        ]
    assert rows("SELECT webhook_change, webhook_sent_at IS NOT NULL, email_change FROM rm_alerts") == [
        (3, True, None)
    ]


def test_a_refusal_of_any_kind_is_tried_again(receiver: WebhookReceiver, site_id: int) -> None:
    run(site_id, "failed", "down")
    check()
    for refused, status in enumerate((302, 400, 403, 404, 410, 429, 500, 503), 1):
        receiver.will_answer(status, {"Location": "/elsewhere", "Retry-After": "1"})
        hurry()
        assert send_all() == 1
        assert (receiver.refused, receiver.bodies, len(jobs("pending"))) == (refused, [], 1), status

    hurry()
    send_all()

    assert len(receiver.bodies) == 1
    assert jobs("completed") == [None]


def test_a_corrected_address_gets_what_the_wrong_one_refused(receiver: WebhookReceiver, site_id: int) -> None:
    right = receiver.url
    setting.change("alert_webhook_url", right.replace(URL_SECRET, "T0/B0/revoked"))
    run(site_id, "failed", "down")
    look()
    assert (receiver.refused, receiver.bodies) == (1, [])

    setting.change("alert_webhook_url", right)
    hurry()
    send_all()

    assert receiver.texts == ["Alert: The sync of Outlet failed: down"]


def test_a_channel_that_was_taken_back_is_told_nothing_more(receiver: WebhookReceiver, site_id: int) -> None:
    run(site_id, "failed", "down")
    check()
    setting.change("alert_webhook_url", None)

    send_all()

    assert receiver.bodies == []
    assert rows("SELECT status, result ->> 'skipped' FROM rm_queue") == [
        ("completed", "alert_webhook_url: is not set")
    ]


def test_that_the_sync_workers_have_stopped_is_told_by_those_of_webhooks(
    receiver: WebhookReceiver, site_id: int
) -> None:
    for queue in ("sync", "webhooks"):
        helpers.earlier(helpers.job(queue=queue), 16 * 60, "created_at", "available_at", "updated_at")
    check()

    told_by = dict(
        rows("SELECT payload -> 'message' ->> 'subject', queue FROM rm_queue WHERE kind = 'alert.send'")
    )
    assert told_by == {"queue:sync": "webhooks", "queue:webhooks": "sync"}


def test_alerts_that_wait_for_their_receiver_are_no_reason_for_an_alert(site_id: int) -> None:
    setting.change("alert_webhook_url", nowhere())
    run(site_id, "failed", "down")
    look()
    execute("UPDATE rm_queue SET created_at = now() - interval '1 day'")

    assert check() == 0


def test_what_slack_would_take_for_markup_is_escaped_in_its_text_only(
    receiver: WebhookReceiver, site_id: int
) -> None:
    run(site_id, "failed", "<!channel> & more\nlines")
    look()

    assert receiver.texts == ["Alert: The sync of Outlet failed: &lt;!channel&gt; &amp; more lines"]
    assert receiver.bodies[0]["sentence"] == "The sync of Outlet failed: <!channel> & more lines"


def test_alerts_that_no_redis_could_hurry_go_out_once_it_is_back(
    environment: dict[str, str], receiver: WebhookReceiver, site_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    use_redis_of_the_environment()
    run(site_id, "failed", "down")
    dispatcher.turn(heal=True)
    assert len(jobs("pending")) == 1

    monkeypatch.setenv("REDIS_URL", environment["REDIS_URL"])
    use_redis_of_the_environment()
    with Fleet(environment, roles=("worker-sync",)):
        dispatcher.turn(heal=False)
        eventually(lambda: bool(receiver.bodies), seconds=30, what="the alert")
        eventually(lambda: jobs("completed") != [], seconds=10, what="the end of its job")
    assert receiver.texts == ["Alert: The sync of Outlet failed: down"]


def use_redis_of_the_environment() -> None:
    """As a process that starts now would."""
    config.settings.cache_clear()
    broker.cache_clear()
    hints.use(None)
    connect_sender()


@pytest.fixture
def logged(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that this process logs, at the most talkative level."""
    stream = io.StringIO()
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    log.configure("test", stream=stream)
    yield stream
    log.configure("test")


def test_no_secret_is_in_a_log_line_a_job_or_a_stored_setting(
    logged: io.StringIO, receiver: WebhookReceiver, site_id: int
) -> None:
    setting.change("smtp_url", f"smtp://alerts:hushhush-hush@127.0.0.1:{free_port()}")
    setting.change("alert_email_to", "stock@example.com")
    setting.change("alert_webhook_url", f"{receiver.url}?api-version=1&sig=signature-of-teams")
    echo = f"nothing at {receiver.url} sig=signature-of-teams".encode()
    for status in (404, 302, 200):
        receiver.will_answer(
            status, {"Location": f"{receiver.url}/{URL_SECRET}?sig=signature-of-teams"}, echo
        )
    run(site_id, "failed", "down")
    look()
    told = [str(error) for error in jobs("pending")]
    told += [trial.message for trial in channels.test(requested_by="a test")]
    hurry()
    send_all()
    setting.change("alert_webhook_url", nowhere())
    told += [trial.message for trial in channels.test(requested_by="a test")]

    stored = str(rows("SELECT * FROM rm_queue")) + str(rows("SELECT * FROM rm_settings"))
    assert len(receiver.bodies) == 1
    assert "alert.send" in logged.getvalue()
    assert "404 Not Found" in told[0]
    for secret in (*URL_SECRET.split("/"), "signature-of-teams", "hushhush-hush", PASSWORD):
        for where in (logged.getvalue(), stored, *told):
            assert secret not in where
