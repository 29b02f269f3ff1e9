"""What is sent to a hook: a parcel on its way, and the record of each attempt to hand it over."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

# event: something changed; ping: WooCommerce's greeting; emitted: a test asked for it; again: a copy
Kind = Literal["event", "ping", "emitted", "again"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What the mode has drawn for a parcel: see `mode.Mode`."""

    dropped: bool = False
    duplicated: bool = False
    held_seconds: float = 0.0  # between writing the body and sending it


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as it will go over the wire, byte for byte."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, eq=False)
class Parcel:
    """One event for one hook. `event` is the vendor's own; the body is written when it is due."""

    hook_id: int
    topic: str
    ids: dict[str, int]
    event: Any = None
    kind: Kind = "event"
    attempt: int = 1
    key: Hashable = None  # events of one key fold into the parcel that waits
    fate: Fate = field(default_factory=Fate)
    prepared: Prepared | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt. `status` is the receiver's, or None: `error` says why (a time-out, `dropped`, `gone`)."""

    number: int
    hook_id: int
    topic: str
    kind: Kind
    ids: dict[str, int]
    attempt: int
    status: int | None
    error: str
    seconds: float
    sent_at: float
    request: Prepared | None

    def as_json(self, full: bool) -> dict[str, Any]:
        """`full` adds the headers and the body as they were sent."""
        answer: dict[str, Any] = {
            "number": self.number,
            "hook_id": self.hook_id,
            "topic": self.topic,
            "kind": self.kind,
            "ids": self.ids,
            "attempt": self.attempt,
            "status": self.status,
            "error": self.error,
            "seconds": round(self.seconds, 4),
            "sent_at": self.sent_at,
            "url": self.request.url if self.request else "",
        }
        if full and self.request:
            answer["headers"] = self.request.headers
            answer["body"] = self.request.body.decode("utf-8", "replace")
        return answer
