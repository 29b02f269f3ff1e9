"""What tests do to PostgreSQL and Valkey, on servers of their own (`servers` of test_sync_kills)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

from models.embedded import Runtime, ensure
from models.embedded.processes import identify, wait_gone
from tests.servers import Servers

GONE_SECONDS = 30.0


def runtime_of(servers: Servers) -> Runtime:
    """The servers as they run now; what has ended is started again, over what it has on disk."""
    return ensure(servers.runtime.data_dir, durable=False)


def restart(servers: Servers, name: str, number: signal.Signals) -> None:
    """Ask `postgres` or `valkey` to end in the way of this signal, and start it again."""
    before = runtime_of(servers)
    process = identify(before.pids[name])
    assert process is not None
    os.kill(process.pid, number)
    assert wait_gone(process, GONE_SECONDS)
    after = runtime_of(servers)
    assert after.pids[name] != before.pids[name]
    assert (after.database_url, after.redis_url) == (before.database_url, before.redis_url)


def silence(servers: Servers, name: str, seconds: float) -> None:
    """All its processes stop where they are: connections stay, nobody answers."""
    family = family_of(runtime_of(servers).pids[name])
    _signal(family, signal.SIGSTOP)
    try:
        time.sleep(seconds)  # the fault's length
    finally:
        _signal(family, signal.SIGCONT)


def family_of(pid: int) -> list[int]:
    """A process and all that it has started."""
    leader = psutil.Process(pid)
    return [pid, *(child.pid for child in leader.children(recursive=True))]


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # a connection that ended meanwhile
            os.kill(pid, number)
