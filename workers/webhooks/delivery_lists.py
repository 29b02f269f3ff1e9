"""The log of deliveries, for a person: listed by what they ask for, counted up to a bound, replayed all at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from models.database import row
from models.webhook_log import FAILED
from workers import walks
from workers.errors import FieldError, InvalidFields
from workers.forms import LARGEST_BIGINT, LARGEST_ID, Form, Line
from workers.walks import Walk
from workers.webhooks import deliveries

COUNTED = 10_000  # "more than" from here on
COUNT_SCAN_ROWS = 20_000
BATCH = 500
SECONDS = 8.0  # of one request

SINCE = {
    "15m": ("15 minutes ago", "i.received_at >= now() - interval '15 minutes'"),
    "1h": ("an hour ago", "i.received_at >= now() - interval '1 hour'"),
    "1d": ("a day ago", "i.received_at >= now() - interval '1 day'"),
    "7d": ("a week ago", "i.received_at >= now() - interval '7 days'"),
}
"""Since when a delivery was received: in words, and as a condition."""
Since = Literal["15m", "1h", "1d", "7d"]
Status = Literal["received", "completed", "failed", "rejected", "ignored", "duplicate"]


class DeliveryFilter(Form):
    """Which deliveries. product: the shop's own id of it."""

    site: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None
    status: Status | None = None
    event_type: Line | None = None
    product: Annotated[int, Field(ge=1, le=LARGEST_BIGINT)] | None = None
    since: Since | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery at a glance."""

    id: int
    site_id: int | None
    site_name: str | None
    event_type: str | None
    status: str
    verdict: str | None
    resource: str | None
    product_id: int | None
    error_message: str | None
    received_at: datetime
    processed_at: datetime | None
    attempts: int
    job_id: int | None


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """next: the key of the last one; looked: see workers/walks.py."""

    rows: list[DeliveryRow]
    next: tuple[Any, ...] | None
    looked: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many are done again, and whether all that were asked for have been gone through."""

    number: int
    finished: bool


_COLUMNS = """i.id, i.site_id, (SELECT s.name FROM rm_sites s WHERE s.id = i.site_id), i.event_type, i.status,
    i.verdict, i.resource, i.product_id, i.error_message, i.received_at, i.processed_at, i.attempts, i.job_id"""


def page(wanted: DeliveryFilter, after: Sequence[Any] | None, most: int) -> DeliveryPage:
    """A page of deliveries, the newest first."""
    walked = walks.page(_walk(wanted), _COLUMNS, after, most)
    return DeliveryPage([DeliveryRow(*values) for values in walked.rows], walked.next, walked.looked)


def number(wanted: DeliveryFilter) -> tuple[int, bool]:
    """How many of them can be done again, up to COUNTED, and whether that is all. Raises InvalidFields."""
    return walks.number(_replayable(wanted), COUNTED, COUNT_SCAN_ROWS)


def newest() -> int:
    """The id of the newest delivery: what a person agrees to now concerns none that come after it."""
    found = row("SELECT coalesce(max(id), 0) FROM rm_webhook_log")
    assert found is not None
    return int(found[0])


def replay_all(
    wanted: DeliveryFilter, upto: int, *, request_id: str | None = None, seconds: float = SECONDS
) -> Replayed:
    """Do all failed deliveries of a filter again whose id is at most `upto`. Raises InvalidFields."""
    walk = _replayable(wanted)
    ends = time.monotonic() + seconds
    total = 0
    after: tuple[Any, ...] | None = (upto + 1,)
    while after is not None:
        if time.monotonic() > ends:
            return Replayed(total, finished=False)
        found = walks.page(walk, "i.id", after, BATCH)
        total += deliveries.replay_these([values[0] for values in found.rows], request_id)
        after = found.next
    return Replayed(total, finished=True)


def _replayable(wanted: DeliveryFilter) -> Walk:
    if wanted.status != FAILED:
        raise InvalidFields(
            [FieldError("status", "must be failed: only such deliveries are done again together")]
        )
    return _walk(wanted, "i.product_id IS NOT NULL")


def _walk(wanted: DeliveryFilter, also: str | None = None) -> Walk:
    """By the index that leaves the least to look through: of a product, of a status that few have, of a site."""
    conditions = {
        "product": "i.product_id = %(product)s",
        "status": "i.status = %(status)s",
        "site": "i.site_id = %(site)s",
        "event_type": "i.event_type = %(event_type)s",
        "since": SINCE[wanted.since][1] if wanted.since else "",
    }
    given = {name: sql for name, sql in conditions.items() if getattr(wanted, name) is not None}
    few = ("product", "site", "status") if wanted.status == "completed" else ("product", "status", "site")
    leading = next((name for name in few if name in given), None)
    where = given.pop(leading) if leading else "true"
    rest = [*given.values(), *([also] if also else [])]
    return Walk(
        "rm_webhook_log", ("id",), where, " AND ".join(rest) or "true", wanted.model_dump(), descending=True
    )
