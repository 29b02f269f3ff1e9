"""`alert.send`: one change of one alert by one channel, in order, for as long as the other side is away."""

from __future__ import annotations

from models.crypto import UndecryptableError
from models.database import execute, row, rows
from workers.alerts import channels
from workers.alerts.check import key
from workers.alerts.message import Message
from workers.errors import ConfigurationError, MustWait, RemoteError, Unavailable
from workers.jobs import Done, Work
from workers.outbox import hint_after_commit

TURN_SECONDS = 20.0  # until the change before has gone out, which wakes this one
DEADLINE_SECONDS = 120.0  # a channel's own deadlines end it long before

_SENT = {
    channels.WEBHOOK: "webhook_change = greatest(webhook_change, %s), webhook_sent_at = clock_timestamp()",
    channels.EMAIL: "email_change = greatest(email_change, %s), email_sent_at = clock_timestamp()",
}


def send(work: Work) -> Done:
    """Send it. A refusal is tried again too: a person may correct the address, and nothing is lost meanwhile."""
    channel, message = work.claim.payload["channel"], Message.stored(work.claim.payload)
    before = key(message.alert_id, message.change - 1, channel)
    if row("SELECT 1 FROM rm_queue WHERE unique_key = %s AND status IN ('pending', 'processing')", (before,)):
        raise MustWait(TURN_SECONDS, "the change before has not been told yet")
    work.calls += 1
    try:
        said = channels.deliver(channel, message)
    except ConfigurationError as error:  # taken back since: nobody is to be told
        return Done(result={"skipped": str(error)})
    except UndecryptableError as error:
        raise Unavailable(str(error)) from None
    except RemoteError as error:
        if error.permanent:
            raise Unavailable(str(error), status=error.status) from None
        raise

    def record() -> None:
        # Jobs before alerts, as in every transaction that ends a job.
        following = key(message.alert_id, message.change + 1, channel)
        for (queue,) in rows(
            "UPDATE rm_queue SET available_at = now(), hinted_at = NULL, hint_count = 0, updated_at = now()"
            " WHERE unique_key = %s AND status = 'pending' RETURNING queue",
            (following,),
        ):
            hint_after_commit(queue)
        execute(f"UPDATE rm_alerts SET {_SENT[channel]} WHERE id = %s", (message.change, message.alert_id))

    return Done(result={"said": said}, record=record)
