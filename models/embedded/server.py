"""What PostgreSQL and Valkey have in common: a folder, a lock, a port, an answer."""

import os
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from models.embedded import room
from models.embedded.binaries import Binaries
from models.embedded.errors import EmbeddedError
from models.embedded.locks import try_lock
from models.embedded.paths import Account
from models.embedded.processes import ProcessId, end, identify, log_tail, open_log, spawn, works_in

HOST = "127.0.0.1"
POLL_SECONDS = 0.05
# After a crash PostgreSQL replays its log, and Valkey reads its file, before they answer.
START_SECONDS = 180.0
PORT_ATTEMPTS = 5


PortBook = Callable[[str, int], None]


@dataclass(frozen=True)
class Context:
    """What a server needs to know to start."""

    folder: Path
    account: Account | None
    binaries: Binaries
    durable: bool


@dataclass(frozen=True)
class Running:
    """A server that has just answered with our password, over our data."""

    process: ProcessId
    port: int
    launched: bool


class Server(ABC):
    """One of the two servers of a data folder."""

    name: str
    title: str
    stop_signals: list[tuple[int, float]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / self.name
        self.log = folder / "log" / f"{self.name}.log"
        self.lock = folder / f"{self.name}.lock"

    @abstractmethod
    def url(self, port: int) -> str:
        """The URL that the product uses."""

    @abstractmethod
    def command(self, context: Context, port: int) -> tuple[list[str], bytes | None]:
        """The arguments and the standard input of the server."""

    @abstractmethod
    def prepare(self, context: Context) -> None:
        """Make the data folder ready; called while nobody else can start this server."""

    @abstractmethod
    def pid_file_entry(self) -> int | None:
        """The process number that the server itself wrote down."""

    @abstractmethod
    def answers(self, port: int) -> bool:
        """Whether our password opens this port and our data folder lies behind it."""

    def complete(self, port: int) -> None:  # noqa: B027 - most servers need nothing more
        """Make what the product expects to find in a server that has just started."""

    def attain(self, context: Context, last_port: int | None, remember: PortBook) -> Running:
        """Start the server, or adopt the one that lives.

        The lock decides: who gets it may start, since no process of this server is left. Where it is held,
        the server lives, is starting, or is going down; we ask until it answers or the lock is free.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            lock = try_lock(self.lock)
            if lock is not None:
                try:
                    return self._start(context, last_port, remember, lock)
                finally:
                    os.close(lock)  # the server has inherited it
            running = self.alive(last_port)
            if running is not None:
                return running
            time.sleep(POLL_SECONDS)
        raise EmbeddedError(
            f"{self.title} in {self.data} is running but does not answer, so a second one can't be started. "
            f"See who has {self.lock} open (fuser {self.lock}) and end it. The log {self.log} ends with:\n"
            f"{log_tail(self.log)}"
        )

    def alive(self, port: int | None) -> Running | None:
        """The server as it runs now, if it answers."""
        # The process first: the port may be somebody else's by now, and our password isn't for them.
        process = self.process()
        if process is None or port is None or not self.answers(port):
            return None
        return Running(process, port, launched=False)

    def process(self) -> ProcessId | None:
        """The server's process by its own pid file, made sure of by the folder it works in."""
        pid = self.pid_file_entry()
        if pid is None or not works_in(pid, self.data):
            return None
        return identify(pid)

    def stop(self) -> bool:
        """End the server in an orderly way; False where it wasn't running."""
        process = self.process()
        if process is None:
            return False
        end(process, self.stop_signals)
        return True

    def _start(self, context: Context, last_port: int | None, remember: PortBook, lock: int) -> Running:
        self.prepare(context)
        for attempt in range(PORT_ATTEMPTS):
            port = choose_port(last_port if attempt == 0 else None)
            remember(
                self.name, port
            )  # before the start: whoever comes after a crash can then ask at this port
            started_at = self._log_size()
            arguments, stdin = self.command(context, port)
            child = spawn(arguments, account=context.account, log=self.log, held_lock=lock, stdin=stdin)
            try:
                running = self._await_answer(child, port)
                if running is not None:
                    self.complete(port)
                    return replace(running, launched=True)
            except BaseException:
                _end_child(child, self.stop_signals)
                raise
            if not self._port_was_taken(started_at):
                break
        raise EmbeddedError(
            f"{self.title} did not start (exit code {child.returncode}). {self._no_room(started_at)}"
            f"Its log {self.log} ends with:\n{log_tail(self.log)}"
        )

    def _await_answer(self, child: subprocess.Popen[bytes], port: int) -> Running | None:
        """Wait for the first answer; None where the server ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while child.poll() is None:
            running = self.alive(port)
            if running is not None:
                return running
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.title} has not answered {START_SECONDS:.0f} s after its start. "
                    f"Its log {self.log} ends with:\n{log_tail(self.log)}"
                )
            time.sleep(POLL_SECONDS)
        return None

    def _no_room(self, since: int) -> str:
        full = room.is_full(self.folder) or room.told_by(self._log_text(since))
        return f"{room.shortage(self.folder)} " if full else ""

    def _log_size(self) -> int:
        with open_log(self.log) as file:
            return file.tell()

    def _log_text(self, since: int) -> str:
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def _port_was_taken(self, since: int) -> bool:
        return "ddress already in use" in self._log_text(since)


def choose_port(preferred: int | None) -> int:
    """The preferred port where it is free, else any free one."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As the servers do: a port whose last connections linger in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedError(f"No port is free on {HOST}.")


def _end_child(child: subprocess.Popen[bytes], signals: list[tuple[int, float]]) -> None:
    process = identify(child.pid)
    if process is not None:
        end(process, signals)
