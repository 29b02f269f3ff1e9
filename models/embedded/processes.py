"""Starting a server, telling whether it lives, and ending it."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from models.embedded.errors import EmbeddedError
from models.embedded.paths import Account

LOG_LIMIT_BYTES = 1_000_000
TAIL_LINES = 15
START_FIELD = 19  # proc(5): `starttime`, counted after the name in parentheses
TAIL_BYTES = 8_192

# Kept so that a server we started is reaped when it ends, and isn't complained about before.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessId:
    """A process that can't be mistaken for a later one with the same number."""

    pid: int
    created: float  # only to be compared: on Linux since the boot, elsewhere since 1970


def identify(pid: int) -> ProcessId | None:
    """Name a process by number and start time; None where it is gone or only waits to be reaped."""
    import psutil  # part of the `embedded` extra: this package must be importable without it

    _reap(pid)
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if sys.platform == "linux":
            return ProcessId(pid, _seconds_after_boot(pid))
        return ProcessId(pid, process.create_time())
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError, ValueError):
        return None


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs."""
    return identify(process.pid) == process


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process has this folder as its working directory, as both servers have theirs."""
    import psutil

    try:
        return Path(psutil.Process(pid).cwd()) == folder
    except (psutil.Error, OSError):
        return False


def spawn(
    arguments: list[str],
    *,
    account: Account | None,
    log: Path,
    held_lock: int,
    stdin: bytes | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that Ctrl-C in the terminal doesn't reach it.

    It inherits `held_lock`: as long as it or a child of it lives, nobody can start a second one.
    """
    with open_log(log) as output:
        process = subprocess.Popen(  # noqa: S603 - a program of the wheel
            arguments,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=(held_lock,),
            cwd="/",
            env=clean_environment(),
            start_new_session=True,
            umask=0o077,
            # SIGXFSZ stays ignored, as Python has it: a limit on the size of files is an error, not Valkey's end.
            restore_signals=False,
            **stepping_down(account),
        )
    _children[process.pid] = process
    if process.stdin is not None:
        try:
            process.stdin.write(stdin or b"")
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died already: whoever waits for its answer says why
    return process


def end(process: ProcessId, signals: list[tuple[int, float]]) -> None:
    """Send each signal in turn until the process is gone; each has its seconds to work."""
    for number, seconds in signals:
        if not is_alive(process):
            return
        os.kill(process.pid, number)
        if wait_gone(process, seconds):
            return
    if is_alive(process):
        raise EmbeddedError(f"Process {process.pid} does not end. End it by hand (kill -9 {process.pid}).")


def wait_gone(process: ProcessId, seconds: float) -> bool:
    """Wait until a process has ended; False where it hasn't after so long."""
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stepping_down(account: Account | None) -> dict[str, Any]:
    """The arguments of subprocess that make a child run as the servers' user."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def clean_environment() -> dict[str, str]:
    """Nothing of ours: PGDATA and its like would change the servers, and our secrets aren't theirs."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def open_log(path: Path) -> IO[bytes]:
    """Open a log for appending; a long one is put aside first, over the one put aside before."""
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.old"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def log_tail(path: Path) -> str:
    """The last lines of a log, for an error message."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"({error.strerror})"
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])


def _seconds_after_boot(pid: int) -> float:
    """When a process started, by a clock that nobody sets.

    psutil counts from the boot's time of day, which moves when the clock is set: everybody would seem dead,
    and whoever comes next would adopt, and then end, servers that are in use.
    """
    after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return int(after_name[START_FIELD]) / os.sysconf("SC_CLK_TCK")


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        _children.pop(pid, None)
