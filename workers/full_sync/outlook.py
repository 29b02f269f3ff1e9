"""How far a run is and how long it will take: a share, a few words, and the time left at the rate so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.database import row
from models.sync_run import SyncRun
from workers import clock

Figures = Mapping[str, Any]
"""A run as `sync-runs/{id}` of the API shows it."""

OVER = frozenset({"completed", "failed", "held", "cancelled"})
LEAST_SECONDS = 2.0  # a rate of less is a guess
# Where each step begins and ends on the bar: listing and pushing are what takes time.
SPANS = {
    "start": (0.0, 0.02),
    "list": (0.02, 0.4),
    "confirm": (0.4, 0.42),
    "stock": (0.42, 0.45),
    "compare": (0.45, 0.5),
    "release": (0.45, 0.5),
    "push": (0.5, 0.99),
    "finish": (0.99, 1.0),
}
STEP_WORDS = {
    "start": "looking at the shop",
    "confirm": "reading again what was missing",
    "stock": "waiting for Business Central's stock",
    "compare": "comparing",
    "release": "reading again what was set aside",
    "finish": "finishing",
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """share: of the whole, from 0 to 1. seconds_left: of what goes on now, None while no rate is known.

    until: what is over then.
    """

    share: float
    words: str
    seconds_left: float | None
    until: str


def outlook(run: SyncRun, figures: Figures) -> Outlook:
    """How far a run is, by its figures of now."""
    seconds, until = None, ""
    if run.status == "running" and run.step == "list":
        seconds, until = _left(figures, run.list_started_at), "until the shop is read"
    elif run.status == "running" and run.step == "push" and run.released_at is None:
        # What was released is pushed beside what had been pushed before: of that no rate is known.
        seconds, until = _left(figures, _push_began(run.id)), "until all is pushed"
    return Outlook(share_done(figures), words(figures), seconds, until)


def _left(figures: Figures, since: datetime | None) -> float | None:
    """What is left of a step, at the rate at which it went until now."""
    done, total = _within(figures["step"], figures)
    if since is None or not total or not done:
        return None
    passed = (clock.now() - since).total_seconds()
    return passed / done * max(total - done, 0) if passed >= LEAST_SECONDS else None


def _push_began(run_id: int) -> datetime | None:
    found = row("SELECT min(created_at) FROM rm_queue WHERE run_id = %s AND step = 'push'", (run_id,))
    return found[0] if found else None


def share_done(figures: Figures) -> float:
    """How much of the whole sync is done, from 0 to 1."""
    if figures["status"] in OVER:
        return 1.0
    if figures["status"] == "queued":
        return 0.0
    step = figures["step"]
    begin, end = SPANS.get(step, (0.0, 1.0))
    done, total = _within(step, figures)
    return begin + (end - begin) * min(done / total, 1.0) if total else begin


def words(figures: Figures) -> str:
    """The state of a sync in a few words."""
    status, step = figures["status"], figures["step"]
    if status in OVER:
        return str(status)
    if status == "queued":
        return "waiting to start"
    if step == "list":
        total = figures.get("items_total")
        return f"listing, {figures['items_done']:,}{f' of {total:,}' if total else ''} products"
    if step == "push":
        done, total = _within(step, figures)
        return f"pushing, {done:,} of {total or 0:,} SKUs"
    return STEP_WORDS.get(step, str(step))


def _within(step: str, figures: Figures) -> tuple[int, int | None]:
    if step == "list":
        return figures["pages_done"], figures["pages_total"]
    if step == "push":
        return figures["pushed"] + sum(figures["failed"].values()), figures["to_push"]
    return 0, None
