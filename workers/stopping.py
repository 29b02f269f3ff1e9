"""Whether this worker has been told to end: from then on no further call to a vendor is begun.

The call under way ends by its own deadline; its job is done, or goes back at once (workers/handing_back.py).
"""

from __future__ import annotations

import threading

from workers.errors import MustWait

REASON = "its worker ended"

_ending = threading.Event()


def begin() -> None:
    """SIGTERM has come."""
    _ending.set()


def check() -> None:
    """To be asked before each call to a vendor. Raises MustWait: another worker takes the job at once."""
    if _ending.is_set():
        raise MustWait(0.0, REASON)
