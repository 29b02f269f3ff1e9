"""The vocabulary of the ledger: what a job is before, while and after it runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

SYNC = "sync"
WEBHOOKS = "webhooks"
QUEUES = (WEBHOOKS, SYNC)
"""Each has workers of its own: behind shared ones a webhook waited 5-22 s for syncs (design)."""

DEFAULT_ATTEMPTS = 8
CANCELLED = "cancelled"  # the error of a job that a person stopped
HARD_DEADLINE_SECONDS = 1800.0  # no job may renew its lease for longer: the stuck-job rule


class Priority(IntEnum):
    """Lower goes first: what a shopper feels, then what a person waits for, then the night's."""

    URGENT = 10
    PERSON = 20
    NIGHT = 50


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to insert. `unique_key`: at most one job ever has it; a second insert does nothing."""

    kind: str
    queue: str = SYNC
    priority: int = Priority.NIGHT
    payload: Mapping[str, Any] = field(default_factory=dict)
    site_id: int | None = None
    company_id: int | None = None
    run_id: int | None = None
    refresh_id: int | None = None
    step: str | None = None
    store_key: str | None = None
    unique_key: str | None = None
    delay_seconds: float = 0.0
    max_attempts: int = DEFAULT_ATTEMPTS
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker holds. Every change to it compares `token`."""

    id: int
    token: uuid.UUID
    kind: str
    queue: str
    priority: int
    payload: Mapping[str, Any]
    site_id: int | None
    company_id: int | None
    run_id: int | None
    refresh_id: int | None
    step: str | None
    store_key: str | None
    attempts: int
    max_attempts: int
    request_id: str | None

    @property
    def last_attempt(self) -> bool:
        """True where a transient failure now is the end of it."""
        return self.attempts >= self.max_attempts


@dataclass(frozen=True, slots=True)
class Done:
    """How a handler ends: what it found, the jobs that follow, and what must commit together with the end.

    record: runs inside the transaction that completes the job, after the compare-and-set.
    """

    jobs: Sequence[NewJob] = ()
    result: Mapping[str, Any] | None = None
    record: Callable[[], None] | None = None


@dataclass(slots=True)
class Work:
    """What a handler is given: its claim, and what it tells of itself even when it fails.

    calls: vendor calls made. progressed: some of the work is done for good, so that the next attempt has less
    to do: a failure after progress costs no attempt, or a long job would fail by its length alone.
    companions: claims of jobs alike that the handler took along; they end as this one does.
    """

    claim: Claim
    calls: int = 0
    progressed: bool = False
    companions: list[Claim] = field(default_factory=list)

    @property
    def claims(self) -> list[Claim]:
        """Its own claim first."""
        return [self.claim, *self.companions]


Handler = Callable[[Work], Done]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job. What else fails with one is said in workers/failures.py."""

    name: str
    handler: Handler
    deadline_seconds: float = HARD_DEADLINE_SECONDS
