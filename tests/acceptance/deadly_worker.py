"""What dramatiq loads instead of workers.main: a worker that knows one kind of job more, which kills it each time."""

from __future__ import annotations

import os
import signal
import time

from workers.jobs import Done, Kind, Work
from workers.kinds import KINDS
from workers.main import ACTORS, BROKER, TICK

__all__ = ["ACTORS", "BROKER", "TICK"]

DEADLY = "test.deadly"
STRIKES_AFTER_SECONDS = 0.5  # so that the other threads are in the middle of something


def die(_: Work) -> Done:
    """As where a page needs more memory than the pod has: the whole process is gone, with all that it does."""
    time.sleep(STRIKES_AFTER_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives this")


KINDS[DEADLY] = Kind(DEADLY, die)
