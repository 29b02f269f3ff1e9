"""File locks that the kernel lets go of when their holders die, however they die."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.embedded.errors import EmbeddedError

POLL_SECONDS = 0.05
# Longer than the slowest start and stop together, since the holder may be doing either.
TURN_SECONDS = 300.0


def try_lock(path: Path) -> int | None:
    """Lock the file and return its descriptor, or None where somebody holds it.

    The lock belongs to the open file, not to the process: a server that inherits the descriptor holds the
    lock until it and all its children are gone.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def turn(path: Path, *, timeout: float = TURN_SECONDS) -> Iterator[None]:
    """Wait for our turn to start or stop the servers of one folder."""
    deadline = time.monotonic() + timeout
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"Another process has been starting or stopping the servers of {path.parent} for over "
                f"{timeout:.0f} s. End it, or choose another DATA_DIR."
            )
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)
