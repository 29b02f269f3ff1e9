"""How far syncs are: a live bar for each on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from workers.full_sync.outlook import OVER, Figures, share_done, words

POLL_SECONDS = 0.4
LINE_SECONDS = 5.0  # how often a plain line repeats while nothing but numbers changes


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


def seconds_of(figures: Figures) -> float | None:
    """How long a run took from its start to its end; None where it did not get so far."""
    if not (figures["started_at"] and figures["finished_at"]):
        return None
    began, ended = (datetime.fromisoformat(figures[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds()
