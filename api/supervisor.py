"""Run all roles of the Procfile in one terminal, start again what dies, end all of it in order."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Self, TextIO

from honcho.printer import Message, Printer

from api import procfile
from api.child import Child, Write

LOOK_SECONDS = 0.1
# Longer than the 50 s that dramatiq gives to what it is doing (Procfile), which is longer than a write may take.
GRACE_SECONDS = 55.0
# Who feeds others ends before them, but a worker that finishes its job holds nobody up.
HEAD_START_SECONDS = 0.5
LAST_LINES_SECONDS = 1.0
COLOURS = ("36", "33", "32", "35", "34", "31")  # honcho's order
SUPERVISOR_COLOUR = "1"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Children kept running by a thread of its own, from `start` to `stop`.

    `write` gets the name and the line of everything said; without it, all goes to standard output.
    """

    def __init__(
        self,
        commands: Mapping[str, str | list[str]],
        env: Mapping[str, str],
        *,
        write: Write | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._write = _unbroken(write or terminal(list(commands)))
        self._grace = grace
        # Pipes are not terminals: without this a child's lines would come minutes late.
        child_env = {**env, "PYTHONUNBUFFERED": "1"}
        self._children = [
            Child(name, procfile.expand(name, command, env), child_env, self._write)
            for name, command in commands.items()
        ]
        self._asked_to_end = threading.Event()
        self._hurried = threading.Event()
        self._started = threading.Event()
        self._clean = True
        # All children are started by this one thread: Linux ends them with the thread that started them.
        self._loop = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> Self:
        """Start all children; returns when each has been started once."""
        self._loop.start()
        self._started.wait()
        return self

    def stop(self) -> bool:
        """End all children and wait for it; False where one had to be killed."""
        self.ask_to_end()
        if self._loop.ident is not None:
            self._loop.join()
        return self._clean

    def ask_to_end(self) -> None:
        """Begin to end the children, last one first, without waiting."""
        self._asked_to_end.set()

    def hurry(self) -> None:
        """Kill what has not ended yet."""
        self._hurried.set()
        self._asked_to_end.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until everything has ended; False where the time was over before."""
        self._loop.join(seconds)
        return not self._loop.is_alive()

    @property
    def pids(self) -> dict[str, int]:
        """The running children."""
        return {child.name: child.pid for child in self._children if child.pid is not None}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            for child in self._children:
                if not self._asked_to_end.is_set():
                    child.start()
            self._started.set()
            while not self._asked_to_end.wait(LOOK_SECONDS):
                for child in self._children:
                    child.watch()
        finally:
            self._started.set()
            self._end()

    def _end(self) -> None:
        self._write("supervisor", "stopping")
        ending = list(reversed(self._children))
        for child in ending:
            child.ask_to_end()
            self._gone_within([child], HEAD_START_SECONDS, until=self._hurried)
        if not self._gone_within(ending, self._grace, until=self._hurried):
            self._clean = False
            for child in ending:
                child.kill()
            self._gone_within(ending, LAST_LINES_SECONDS, until=threading.Event())
        for child in ending:
            child.drain(LAST_LINES_SECONDS)
        self._write("supervisor", "stopped")

    def _gone_within(self, children: list[Child], seconds: float, *, until: threading.Event) -> bool:
        for _ in range(round(seconds / LOOK_SECONDS)):
            for child in children:
                child.watch_ending()
            if all(child.gone for child in children):
                return True
            if until.wait(LOOK_SECONDS):
                return False
        return False


def run(
    commands: Mapping[str, str | list[str]],
    env: Mapping[str, str],
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Run until Ctrl-C, SIGTERM or SIGHUP; 0 where all children ended by themselves then, else 1.

    A second signal kills what is left. `on_ready` is called in a thread of its own once every child has been
    started, so that it may wait for one to answer. To be called from the main thread.
    """
    supervisor = Supervisor(commands, env)
    signals: list[int] = []  # handlers only take note: what they could call may be in the middle of itself
    under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heeded = [number for number in STOP_SIGNALS if not (under_nohup and number == signal.SIGHUP)]
    before = {number: signal.signal(number, lambda n, frame: signals.append(n)) for number in heeded}
    try:
        supervisor.start()
        if on_ready is not None:
            threading.Thread(target=on_ready, daemon=True).start()
        while not supervisor.wait(LOOK_SECONDS):
            if len(signals) > 1:
                supervisor.hurry()
            elif signals:
                supervisor.ask_to_end()
        return 0 if supervisor.stop() else 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def terminal(names: list[str], output: TextIO | None = None) -> Write:
    """A writer of lines with time and name before them, coloured where the output is a terminal."""
    everybody = ["supervisor", *names]
    printer = Printer(
        output or sys.stdout,
        width=max(len(name) for name in everybody),
        colour="NO_COLOR" not in os.environ,
    )
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    lock = threading.Lock()

    def write(name: str, line: str) -> None:
        colour = colours.get(name, SUPERVISOR_COLOUR)
        with lock:
            printer.write(Message("line", line or " ", datetime.now(), name, colour))  # noqa: DTZ005 - for the eye

    return write


def _unbroken(write: Write) -> Write:
    """A writer that goes on when nobody reads any more: children must not stall on a closed terminal."""

    def attempt(name: str, line: str) -> None:
        with suppress(OSError, ValueError):
            write(name, line)

    return attempt
