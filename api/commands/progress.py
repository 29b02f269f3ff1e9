"""How far syncs are: a live bar for each on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

Figures = Mapping[str, Any]
"""A run as `sync-runs/{id}` of the API shows it."""

OVER = frozenset({"completed", "failed", "held", "cancelled"})
POLL_SECONDS = 0.4
LINE_SECONDS = 5.0  # how often a plain line repeats while nothing but numbers changes
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


class Display(Protocol):
    """Something that shows how far named syncs are."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, name: str, figures: Figures) -> None:
        """Show the state of one sync."""
        ...


def watch(
    console: Console, fetch: Callable[[], Mapping[str, Figures]], look: Callable[[], None] | None = None
) -> dict[str, Figures]:
    """Show syncs by name until all are over; gives their last figures. `look` is called at every turn."""
    display: Display = Bars(console) if console.is_terminal else Lines(console)
    with display:
        while True:
            runs = dict(fetch())
            for name, figures in runs.items():
                display.show(name, figures)
            if all(figures["status"] in OVER for figures in runs.values()):
                return runs
            if look is not None:
                look()
            time.sleep(POLL_SECONDS)


class Bars:
    """A live bar for each sync."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),  # fixed, or it jumps with the words behind it
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[words]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, name: str, figures: Figures) -> None:
        """Move one bar."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=1.0, words="")
        self._progress.update(self._tasks[name], completed=share_done(figures), words=words(figures))


class Lines:
    """A line at each new step and every few seconds, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, tuple[str, str, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, name: str, figures: Figures) -> None:
        """Say where one sync is, if it has moved."""
        stage, text, now = f"{figures['status']} {figures['step']}", words(figures), time.monotonic()
        before = self._last.get(name)
        if before is None or before[0] != stage or (before[1] != text and now - before[2] >= LINE_SECONDS):
            self._last[name] = (stage, text, now)
            self._console.print(f"{name}: {text}")


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


def seconds_of(figures: Figures) -> float | None:
    """How long a run took from its start to its end; None where it did not get so far."""
    if not (figures["started_at"] and figures["finished_at"]):
        return None
    began, ended = (datetime.fromisoformat(figures[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds()


def _within(step: str, figures: Figures) -> tuple[int, int | None]:
    if step == "list":
        return figures["pages_done"], figures["pages_total"]
    if step == "push":
        return figures["pushed"] + sum(figures["failed"].values()), figures["to_push"]
    return 0, None
