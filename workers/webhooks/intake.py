"""Receiving: the delivery's log row and its job, in one statement. Committed means that it will be done."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from models.database import row
from models.prepared import Prepared
from models.webhook_log import DUPLICATE, IGNORED, RECEIVED, REJECTED
from workers.jobs import WEBHOOKS, Priority
from workers.sku import storable
from workers.webhooks.events import Event
from workers.webhooks.proofs import Verdict
from workers.webhooks.site_keys import SiteKeys

KIND = "webhook.product"
WINDOW_SECONDS = 5.0
"""Events of one product within this time of the last read of it wait for one read more."""
FOLD_KEY_SQL = "'webhook:' || site_id || ':' || product_id"
"""What `fold_key` gives, for statements that make many."""
REJECTED_BODY = 4096  # bytes of a body that nobody vouches for
REJECTED_AN_HOUR = 100  # rows a site; more are only counted
_MOST_HEADERS = 40
_LONGEST_HEADER = 500
_SECRET_HEADER = re.compile(r"auth|cookie|token|secret|key|signature|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was sent: the headers as they are kept, the body raw."""

    headers: Mapping[str, str]
    body: bytes
    request_id: str


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without secrets: their names stay, so that one can see that they were sent."""
    return {
        storable(name)[:_LONGEST_HEADER]: "***" if _is_secret(name) else storable(value)[:_LONGEST_HEADER]
        for name, value in islice(headers.items(), _MOST_HEADERS)
    }


@lru_cache(maxsize=1000)
def _is_secret(name: str) -> bool:
    return _SECRET_HEADER.search(name) is not None


# One statement: the job and the row that is its cause commit together, whatever happens to this process.
# The upsert meets a waiting job of the same product and folds into it: whoever claims that one waits for this
# commit, and so reads the shop after it. A job that is being done has read already: then one more waits.
_ACCEPT = Prepared(
    f"""
    WITH seen AS (
        SELECT FROM rm_webhook_log l JOIN rm_queue q ON q.id = l.job_id
        WHERE l.site_id = %(site)s AND l.delivery_key = %(delivery)s AND q.status <> 'failed' LIMIT 1
    ), job AS (
        INSERT INTO rm_queue AS q (kind, queue, priority, payload, site_id, fold_key, request_id, available_at)
        SELECT '{KIND}', '{WEBHOOKS}', {int(Priority.URGENT)}, %(payload)s, %(site)s, %(fold)s, %(request)s,
               greatest(now(), (SELECT max(o.started_at) + make_interval(secs => {WINDOW_SECONDS})
                                FROM rm_queue o WHERE o.fold_key = %(fold)s))
        WHERE NOT EXISTS (SELECT FROM seen)
        ON CONFLICT (fold_key) WHERE status = 'pending' AND fold_key IS NOT NULL
            DO UPDATE SET folded = q.folded + 1, priority = least(q.priority, excluded.priority)
        RETURNING q.id
    )
    INSERT INTO rm_webhook_log (site_id, event_type, status, verdict, resource, product_id, delivery_key, headers,
                                body, body_bytes, job_id, request_id)
    SELECT %(site)s, %(event)s, CASE WHEN EXISTS (SELECT FROM seen) THEN '{DUPLICATE}' ELSE '{RECEIVED}' END,
           %(verdict)s, %(resource)s, %(product)s, %(delivery)s, %(headers)s, %(body)s, %(bytes)s,
           (SELECT id FROM job), %(request)s
    RETURNING id, status
    """,
    site="integer", event="text", verdict="text", resource="text", product="bigint", delivery="text",
    headers="jsonb", body="text", bytes="integer", request="text", payload="jsonb", fold="text",
)  # fmt: skip
_NOTE = """
    INSERT INTO rm_webhook_log (site_id, event_type, status, error_message, verdict, resource, product_id,
                                delivery_key, headers, body, body_bytes, request_id, processed_at)
    VALUES (%(site)s, %(event)s, %(status)s, %(error)s, %(verdict)s, %(resource)s, %(product)s, %(delivery)s,
            %(headers)s, %(body)s, %(bytes)s, %(request)s, now())
    RETURNING id, status
"""
# The counter's row is also the lock that keeps many receivers from storing a hundred rows each.
_NOTE_BOUNDED = f"""
    WITH counted AS (
        INSERT INTO rm_webhook_rejections AS r (site_id, hour, number)
        VALUES (%(site)s, date_trunc('hour', now()), 1)
        ON CONFLICT (site_id, hour) DO UPDATE SET number = r.number + 1
        RETURNING number
    ), kept AS (
        INSERT INTO rm_webhook_log (site_id, event_type, status, error_message, verdict, headers, body, body_bytes,
                                    request_id, processed_at)
        SELECT %(site)s, %(event)s, %(status)s, %(error)s, %(verdict)s, %(headers)s, %(body)s, %(bytes)s,
               %(request)s, now()
        FROM counted WHERE number <= {REJECTED_AN_HOUR}
        RETURNING id
    )
    SELECT (SELECT id FROM kept), number FROM counted
"""


def fold_key(site_id: int, product_id: int | None) -> str:
    """Events with the same key fold into one job: those of one product of one site."""
    return f"webhook:{site_id}:{product_id}"


def accept(keys: SiteKeys, event: Event, verdict: Verdict, delivery: Delivery) -> tuple[int, str]:
    """Store a delivery that is to be acted on; gives its id, and `received` or `duplicate`.

    Raises DatabaseUnavailable: nothing was stored.
    """
    found = _ACCEPT.row(
        {
            **_common(keys, event, verdict, delivery),
            "payload": json.dumps({"product": event.product_id}),
            "fold": fold_key(keys.site_id, event.product_id),
        },
    )
    assert found is not None
    return found[0], found[1]


def ignore(keys: SiteKeys, event: Event, verdict: Verdict, delivery: Delivery, why: str) -> int:
    """Store a delivery that is the shop's but asks for nothing; gives its id."""
    parameters = {**_common(keys, event, verdict, delivery), "status": IGNORED, "error": why}
    found = row(_NOTE, parameters)
    assert found is not None
    return int(found[0])


def refuse(
    keys: SiteKeys, event_type: str | None, verdict: Verdict, delivery: Delivery, why: str
) -> tuple[int | None, int]:
    """Store what proves nothing, within bounds; gives its id (None: only counted) and the hour's number."""
    status = IGNORED if verdict is Verdict.PING else REJECTED
    parameters = {
        **_common(keys, Event(event_type or ""), verdict, delivery, REJECTED_BODY),
        "event": event_type,
        "status": status,
        "error": why,
    }
    found = row(_NOTE_BOUNDED, parameters)
    assert found is not None
    return found[0], found[1]


def _text(body: bytes, most: int | None) -> str:
    """The body as text of at most so many bytes; what can't be kept takes three bytes a byte."""
    text = storable(body[:most].decode(errors="replace"))
    return text if most is None else text.encode()[:most].decode(errors="ignore")


def _common(
    keys: SiteKeys, event: Event, verdict: Verdict, delivery: Delivery, most: int | None = None
) -> dict[str, Any]:
    return {
        "site": keys.site_id,
        "event": event.event_type,
        "verdict": verdict.value,
        "resource": event.resource,
        "product": event.product_id,
        "delivery": event.delivery_key,
        "headers": json.dumps(kept_headers(delivery.headers)),
        "body": _text(delivery.body, most),
        "bytes": len(delivery.body),
        "request": delivery.request_id,
    }
