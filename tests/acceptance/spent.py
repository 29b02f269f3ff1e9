"""Where the time of a machine goes: CPU seconds of each role, of the servers and of the simulators."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil

from tests.fleet import Fleet
from tests.servers import Servers
from tests.simulators.process import Simulators


class Spent:
    """CPU seconds since this was made, as one line of text."""

    def __init__(self, fleet: Fleet, simulators: Sequence[Simulators], servers: Servers) -> None:
        self._pids: dict[str, list[int]] = defaultdict(list)
        for role, process in fleet.processes.items():
            self._pids[role].append(process.pid)
        for town in simulators:
            self._pids["simulators"].append(town.process.pid)
        for name, pid in _leaders(str(servers.runtime.data_dir)):
            self._pids[name].append(pid)
        self._before = self._now()

    def __str__(self) -> str:
        now = self._now()
        parts = {name: now[name] - before for name, before in self._before.items()}
        told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items())
        return f"CPU seconds: {sum(parts.values()):.0f} in all; {told}; this test {sum(os.times()[:2]):.1f}"

    def _now(self) -> dict[str, float]:
        return {name: sum(map(_seconds, pids)) for name, pids in self._pids.items()}


def _leaders(folder: str) -> Iterator[tuple[str, int]]:
    """PostgreSQL's and Valkey's own processes, which have the folder in their command."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if any(folder in word for word in process.info["cmdline"] or ()):
            yield process.info["name"], process.pid
        elif process.info["name"] == "valkey-server" and _works_in(process, folder):
            yield "valkey-server", process.pid


def _works_in(process: psutil.Process, folder: str) -> bool:
    with suppress(psutil.Error):
        return process.cwd().startswith(folder)
    return False


def _seconds(leader: int) -> float:
    """Of a process, of all that descend from it, and of its children that have ended."""
    found = psutil.Process(leader)
    ended = found.cpu_times()
    total = float(ended.children_user + ended.children_system)
    for process in (found, *found.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # just ended: told with the next look
            total += sum(process.cpu_times()[:2])
    return total
