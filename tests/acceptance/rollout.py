"""A rollout as Kubernetes does it, and whoever must not notice: vendors that send webhooks, a client of the API.

By hand, to see that a real history upgrades: `python -m tests.acceptance.rollout --from <git ref>`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from models.database import row
from models.site import Site
from tests.acceptance.knocking import Knocking
from tests.acceptance.meanwhile import Meanwhile
from tests.acceptance.reckoning import reckon
from tests.acceptance.trouble import Town, quicken, town
from tests.acceptance.two_versions import (
    GRACE_SECONDS,
    READY_SECONDS,
    SERVED,
    Version,
    VersionedPod,
    version_of_git,
)
from tests.conftest import settings_on
from tests.fleet import ROOT, eventually
from tests.flood import Answered, Sent, send_all
from tests.servers import Servers
from tests.simulators.handles import ShopHandle
from workers import tokens

ROLES = ("web", "webhook", "worker-webhooks", "worker-sync", "dispatcher", "scheduler")
ASK_SECONDS = 0.15
ASKED_EVERY = 8  # requests: a sync
LISTS = ("/api/v1/sites", "/api/v1/jobs", "/api/v1/inventory/stats")
KNOCK_SECONDS = 0.15
MOVED_AT_ONCE = 5  # SKUs in BC, before each sync
SHOP_MS = 50  # a shop is not as quick as a simulator: so syncs are under way all the time


class Service:
    """What a Service of Kubernetes does: each request goes to one of the pods that are ready, in turn."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._ports: list[int] = []
        self._busy: dict[int, int] = {}
        self._turn = count()

    def join(self, port: int) -> None:
        """Requests come here from now on."""
        with self._lock:
            self._ports.append(port)
            self._busy[port] = 0

    def leave(self, port: int) -> None:
        """None comes here any more, and none is under way: what the 10 s of a pod's preStop are for."""
        with self._lock:
            self._ports.remove(port)
            assert self._lock.wait_for(lambda: not self._busy[port], timeout=GRACE_SECONDS)

    @contextmanager
    def endpoint(self) -> Iterator[int]:
        """The port of the next one, for one request."""
        with self._lock:
            port = self._ports[next(self._turn) % len(self._ports)]
            self._busy[port] += 1
        try:
            yield port
        finally:
            with self._lock:
                self._busy[port] -= 1
                self._lock.notify_all()


class KnockingAtService(Knocking):
    """Deliveries to whichever receiver is there."""

    def __init__(self, service: Service, sites: dict[ShopHandle, Site]) -> None:
        super().__init__(0, sites, every=KNOCK_SECONDS)
        self._service = service

    def send(self, delivery: Sent) -> list[Answered]:
        """To the next pod in turn."""
        with self._service.endpoint() as port:
            return send_all(port, [delivery], connections=1)


class Asking(Meanwhile):
    """A client of the API who never rests: reads lists, and asks for syncs while BC's stock moves.

    answers: (what was asked, status; 0 where no answer came).
    """

    def __init__(self, service: Service, place: Town) -> None:
        super().__init__()
        self._service, self._place = service, place
        self._headers = {"Authorization": f"Bearer {tokens.create('asking', 'sync')[1]}"}
        truth = place.shops[0].truth()
        self._numbers = sorted({found["key"] for found in truth if found["expected"] is not None})
        self.answers: list[tuple[str, int]] = []
        self.runs: set[int] = set()

    def _run(self) -> None:
        for number in count():
            if number % ASKED_EVERY == 0:
                first = number * MOVED_AT_ONCE % len(self._numbers)
                moved = self._numbers[first : first + MOVED_AT_ONCE]
                self._place.simulators.bc.set_stock(dict.fromkeys(moved, 50 + number % 400))
                answer = self._request("POST", "/api/v1/inventory/sync/all")
                self.runs |= {asked["run_id"] for asked in answer.get("runs", [])}
            else:
                self._request("GET", LISTS[number % len(LISTS)])
            if self._closing.wait(ASK_SECONDS):
                return

    def _request(self, method: str, path: str) -> dict[str, Any]:
        status, found = 0, {}
        with self._service.endpoint() as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GRACE_SECONDS)
            try:
                connection.request(method, path, headers=self._headers)
                answer = connection.getresponse()
                status, found = answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                pass  # counted as no answer
            finally:
                connection.close()
        self.answers.append((f"{method} {path}", status))
        return found


class Rollout:
    """Pods of each role, and the Services before them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.services = {role: Service() for role in SERVED}

    def begin(self, version: Version, roles: Sequence[str] = ROLES) -> list[VersionedPod]:
        """The version's pods, beside those that are there; each gets requests once it is ready."""
        pods = [self.start(version, role) for role in roles]
        for pod in pods:
            self.admit(pod)
        return pods

    def start(self, version: Version, role: str) -> VersionedPod:
        """One pod, which gets no requests yet."""
        return self._stack.enter_context(version.pod(role))

    def admit(self, pod: VersionedPod) -> None:
        """Wait until it is ready, and let requests come."""
        eventually(
            pod.ready, seconds=READY_SECONDS, every=0.05, what=f"{pod.role} of the {pod.version} version"
        )
        if pod.role in SERVED:
            self.services[pod.role].join(pod.port)

    def end(self, pods: Sequence[VersionedPod]) -> dict[str, int]:
        """SIGTERM to one after the other; their exit codes."""
        for pod in pods:
            if pod.role in SERVED:
                self.services[pod.role].leave(pod.port)
            pod.term()
        return {pod.role: pod.ended(GRACE_SECONDS) for pod in pods}


def both_work(old: Sequence[VersionedPod], new: Sequence[VersionedPod]) -> None:
    """Wait until workers of both versions have completed jobs of both queues beside each other."""
    pods = [pod for pod in (*old, *new) if pod.role.startswith("worker")]
    before = [pod.jobs() for pod in pods]
    eventually(
        lambda: all(pod.jobs() > done for pod, done in zip(pods, before, strict=True)),
        seconds=60,
        what="jobs done by both versions",
    )


@contextmanager
def trade(rollout: Rollout, place: Town) -> Iterator[None]:
    """Webhooks, requests, syncs and moving stock, all through; at the end nothing is lost, refused or wrong."""
    for shop in place.shops:
        shop.set_latency(SHOP_MS)
    with KnockingAtService(rollout.services["webhook"], place.sites) as told:  # noqa: SIM117 - asking ends first
        with Asking(rollout.services["web"], place) as asking:
            yield
    since = time.monotonic()
    place.let_go()
    assert [answer for answer in asking.answers if not 200 <= answer[1] < 300] == []
    assert {answer.status for answer in told.answers} == {200}
    reckon("two versions", place.shops, since=since, answers=told.answers)
    ended = row(
        "SELECT count(*), count(*) FILTER (WHERE status = 'completed' AND error IS NULL) FROM rm_sync_runs"
    )
    assert ended == (len(asking.runs), len(asking.runs))
    assert row("SELECT count(*) FROM rm_queue WHERE status = 'failed'") == (0,)
    print(f"{len(asking.answers)} requests, {len(told.answers)} deliveries, {len(asking.runs)} runs")  # noqa: T201


def upgrade(old: Version, new: Version, place: Town, stack: ExitStack) -> None:
    """Old code at work, the new tables, new code beside old, new code alone."""
    rollout = Rollout(stack)
    before = rollout.begin(old)
    with trade(rollout, place):
        code, told = new.said("migrate")
        assert code == 0, told
        print(told)  # noqa: T201
        after = rollout.begin(new)
        both_work(before, after)
        codes = rollout.end(before)
        print(f"old code ended: {codes}")  # noqa: T201
    for pod in before:
        print(f"--- what old code said as {pod.role}:\n{pod.log()}")  # noqa: T201


def main() -> None:
    """The command: it goes on in a process whose own models are the old ones, which make the town's sites."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="old", required=True, help="the commit whose code is the old version")
    parser.add_argument("--to", dest="new", default="HEAD", help="the commit whose code is the new one")
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder is not None:
        roll(asked.folder / "old", asked.folder / "new")
        return
    with tempfile.TemporaryDirectory() as made:
        tree = version_of_git(asked.old, Path(made) / "old")
        version_of_git(asked.new, Path(made) / "new")
        words = [sys.executable, "-m", "tests.acceptance.rollout", "--from", asked.old, "--in", made]
        done = subprocess.run(
            words, cwd=tree, env={**os.environ, "PYTHONPATH": f"{tree}:{ROOT}"}, check=False
        )
    sys.exit(done.returncode)


def roll(before: Path, after: Path) -> None:
    """One tree's code, and then the other's, on servers of their own."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        servers = stack.enter_context(Servers())
        values = quicken(stack.enter_context(settings_on(servers, patch)), patch)
        old, new = Version("old", before, values), Version("new", after, values)
        print(old.said("migrate")[1])  # noqa: T201
        upgrade(old, new, stack.enter_context(town(400, 100)), stack)


if __name__ == "__main__":
    main()
