"""Disks that are full when a test says so, without any privilege: by a limit on the size of files.

Past its limit a process's write fails as on a full disk, only that the error is EFBIG and not ENOSPC; PostgreSQL and
Valkey treat both alike. Where the test may mount, a small disk of its own is the real thing.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MEGABYTE = 1024 * 1024


def limit_files(pids: Iterable[int], size: int | None) -> None:
    """Let these processes, and what they will start, write no file beyond so many bytes; None: any size."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):  # a connection that has ended
            _limit(pid, size, psutil.Process(pid).uids().effective, psutil.Process(pid).gids().effective)


def _limit(pid: int, size: int | None, uid: int, gid: int) -> None:
    """As the process's own user: root without its capabilities may not change others' limits."""
    child = os.fork()
    if child == 0:  # pragma: no cover - ends without a word to anybody
        status = 1
        try:
            if uid != os.geteuid():
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
            _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most if size is None else size, most))
            status = 0
        except ProcessLookupError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, f"process {pid} could not be limited"


def limited(size: int | None) -> None:
    """For `preexec_fn`: the same for a process that is about to start."""
    if size is not None:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))


def may_mount() -> bool:
    """Whether this process may mount a disk of its own."""
    with tempfile.TemporaryDirectory() as place:
        if not mount(Path(place), 1):
            return False
        unmount(Path(place))
        return True


def mount(place: Path, megabytes: int) -> bool:
    """Mount a disk of that size at a folder that others may pass; False where that is not allowed."""
    options = f"size={megabytes}m,mode=0711"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def unmount(place: Path) -> None:
    """Take the disk away; lazily, should a process still be in it."""
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Fill a disk to its last byte; gives the file that does."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(MEGABYTE)):
            pass
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(512)):
            pass
    return ballast
