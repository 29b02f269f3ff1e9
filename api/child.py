"""One child of the supervisor: started, watched, started again with backoff, ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

TETHER = Path(__file__).resolve().parent / "tether.py"
BACKOFF_FIRST_SECONDS = 1.0
BACKOFF_MOST_SECONDS = 30.0
# A child that ran this long was healthy: its next death is a first one.
HEALTHY_SECONDS = 60.0
# What a dead child left in its process group gets to finish what it holds.
LEFTOVER_SECONDS = 20.0
LINE_BYTES = 65_536

Write = Callable[[str, str], None]


class Child:
    """A program in a process group of its own. Only the supervisor's loop calls what changes it.

    A program's leader forwards signals to its own children (gunicorn and dramatiq do, and dramatiq takes a
    second SIGTERM for "at once"), so the group as a whole is signalled only when the leader is gone.
    """

    def __init__(self, name: str, arguments: list[str], env: dict[str, str], write: Write) -> None:
        self.name = name
        self._command = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *arguments]
        self._env = env
        self._write = write
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._group: int | None = None  # the last leader's, until nothing of it is left
        self._started_at = 0.0
        self._failures = 0
        self._restart_at = 0.0
        self._kill_leftovers_at = 0.0

    @property
    def pid(self) -> int | None:
        """The running leader."""
        return None if self._process is None else self._process.pid

    @property
    def gone(self) -> bool:
        """Whether nothing of it runs."""
        return self._process is None and self._group is None

    def start(self) -> None:
        """Start the program; where the system has no room for it, that counts as a death."""
        self._started_at = time.monotonic()
        try:
            self._process = self._spawn()
        except OSError as error:
            self._say(f"could not be started: {error.strerror}")
            self._plan_restart()
            return
        self._group = self._process.pid
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        self._say(f"started (pid {self._process.pid})")

    def watch(self) -> None:
        """Look once: clear up after a death, and start again when the time has come."""
        if self._note_exit():
            self._plan_restart()
        if self._process is None and self._leftovers_gone() and time.monotonic() >= self._restart_at:
            self.start()

    def ask_to_end(self) -> None:
        """Ask the program to finish what it does and to end; what a dead leader left was asked already."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End all of it at once."""
        if not self.gone:
            self._say("killed")
            self._signal_group(signal.SIGKILL)

    def watch_ending(self) -> None:
        """Look once, after it was asked to end."""
        self._note_exit()
        if self._process is None and self._group is not None and not group_lives(self._group):
            self._group = None

    def drain(self, seconds: float) -> None:
        """Wait for its last lines."""
        if self._reader is not None:
            self._reader.join(seconds)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - the Procfile's program
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._env,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends its children in order
        )

    def _note_exit(self) -> bool:
        code = None if self._process is None else self._process.poll()
        if code is None:
            return False
        self._process = None
        self._say(describe(code) + f" after {time.monotonic() - self._started_at:.0f} s")
        self._signal_group(signal.SIGTERM)  # a killed leader leaves workers that nobody leads
        self._kill_leftovers_at = time.monotonic() + LEFTOVER_SECONDS
        return True

    def _plan_restart(self) -> None:
        if time.monotonic() - self._started_at >= HEALTHY_SECONDS:
            self._failures = 0
        delay = backoff(self._failures)
        self._failures += 1
        self._restart_at = time.monotonic() + delay
        self._say(f"starting again in {delay:.0f} s")

    def _leftovers_gone(self) -> bool:
        if self._group is not None and not group_lives(self._group):
            self._group = None
        if self._group is not None and time.monotonic() >= self._kill_leftovers_at:
            self._signal_group(signal.SIGKILL)
        return self._group is None

    def _signal_group(self, number: signal.Signals) -> None:
        if self._group is not None:
            try:
                os.killpg(self._group, number)
            except ProcessLookupError:
                pass
            except PermissionError:
                pass  # macOS says so where only processes are left that wait to be reaped

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for line in iter(lambda: output.readline(LINE_BYTES), b""):
                self._write(self.name, line.decode(errors="replace").rstrip("\r\n"))

    def _say(self, text: str) -> None:
        self._write("supervisor", f"{self.name} {text}")


def backoff(failures: int) -> float:
    """Seconds to wait before the next start, after so many failures in a row."""
    return min(BACKOFF_FIRST_SECONDS * 2.0 ** min(failures, 10), BACKOFF_MOST_SECONDS)


def describe(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def group_lives(group: int) -> bool:
    """Whether a process group has a member that still runs.

    Members that only wait to be reaped don't count: in a container nobody may ever reap them.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return sys.platform != "darwin"  # see Child._signal_group
    if sys.platform != "linux":
        return True
    return any(_runs_in(stat, group) for stat in Path("/proc").glob("[0-9]*/stat"))


def _runs_in(stat: Path, group: int) -> bool:
    try:
        # pid (name, which may hold anything) state parent group ...
        state, _, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in "ZX"
