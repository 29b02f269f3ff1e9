"""How a drawn fault is carried out on the connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from .counters import Counters
from .faults import FaultPlan
from .server import Connection
from .wire import Response, html_response

POLL_SECONDS = 0.05  # how often a held connection is looked at
TRICKLE_SECONDS = (
    0.5  # between two bytes of a slow answer: below any client's read timeout, so only a deadline helps
)
HELD_WRITES = "held writes"  # calls that will be applied late: whoever compares must know

Answer = Callable[[], Response]


class FaultyVendor(Protocol):
    """What a vendor adds: its own shape of each error."""

    faults: FaultPlan
    counters: Counters

    def revoke(self) -> None:
        """Takes back what was issued, where this vendor issues tokens."""

    def error_answer(self, status: int, retry_after: int | None) -> Response:
        """A 401, 429, 500 or 503 in this vendor's words; no retry headers where `retry_after` is None."""
        ...


def misbehave(
    kind: str,
    vendor: FaultyVendor,
    connection: Connection,
    answer: Answer,
    *,
    is_write: bool,
    earlier: Response | None,
) -> str:
    """Carries the fault out. Answers `open {status}` where the connection lives on, else the kind.

    earlier: the route's last good answer, if there was one.
    """
    plan = vendor.faults
    if not is_write:
        kind = {"apply_then_reset": "reset", "apply_late": "timeout"}.get(kind, kind)
    if kind in ("500", "503", "503_bare", "429", "429_bare"):
        retry_after = None if kind.endswith("_bare") else plan.retry_after
        return _send(connection, vendor.error_answer(int(kind[:3]), retry_after))
    if kind == "repeated":
        return _send(connection, earlier or answer())
    if kind == "token_revoked":
        vendor.revoke()
        return _send(connection, vendor.error_answer(401, None))
    if kind in ("html_502", "html_200"):
        status = int(kind[-3:])
        page = html_response(status, "502 Bad Gateway" if status == 502 else "Just a moment...")
        return _send(connection, page)
    return _break_connection(kind, vendor, connection, answer)


def _send(connection: Connection, response: Response) -> str:
    connection.send(response)
    return f"open {response.status}"


def _break_connection(kind: str, vendor: FaultyVendor, connection: Connection, answer: Answer) -> str:
    plan = vendor.faults
    if kind == "timeout":
        _hold(connection, plan.hold_seconds)
    elif kind == "reset":
        connection.reset_on_close()
    elif kind == "apply_then_reset":
        answer()
        connection.reset_on_close()
    elif kind == "apply_late":
        with vendor.counters.under_way(HELD_WRITES):
            _hold(connection, plan.hold_seconds)
            time.sleep(plan.late_seconds)
            answer()
    elif kind in ("truncated", "cut_off"):
        response = answer()
        half = response.body[: len(response.body) // 2]
        promised = len(half) if kind == "truncated" else len(response.body)
        connection.send_raw(response.head(keep_alive=False, length=promised) + half)
    elif kind == "slow":
        _trickle(connection, answer(), plan.hold_seconds)
    return kind


def _hold(connection: Connection, seconds: float) -> None:
    """Keeps silent until the client has gone."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not connection.peer_has_gone():
        time.sleep(POLL_SECONDS)


def _trickle(connection: Connection, response: Response, seconds: float) -> None:
    end = time.monotonic() + seconds
    connection.send_raw(response.head(keep_alive=False, length=len(response.body) + 1_000_000))
    gone = threading.Event()
    while time.monotonic() < end and not gone.wait(TRICKLE_SECONDS):
        if connection.peer_has_gone() or not connection.send_raw(b" "):
            gone.set()
