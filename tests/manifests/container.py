"""A container without an engine: the files of an image, read-only, as process 1 of its own namespaces."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

UID = 10001
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# Runs as root in namespaces of its own, makes the pod's mounts, and becomes the image's program as UID.
_SETUP = """
set -e
mount --make-rprivate /
mount --bind {root} {root}
mount -o remount,bind,ro {root}
mount -t proc proc {root}/proc
mount -t tmpfs -o mode=755 dev {root}/dev
for device in {devices}; do
    touch {root}/dev/$device
    mount --bind /dev/$device {root}/dev/$device
done
mkdir {root}/dev/shm
mount -t tmpfs -o mode=1777,size=64m shm {root}/dev/shm
mount -t tmpfs -o mode=1777,size=64m tmp {root}/tmp
exec setpriv --no-new-privs chroot --userspec={uid}:{uid} --groups= {root} env -i -C {folder} {words}
"""


@dataclass(frozen=True)
class Image:
    """Its files on disk, and what its Dockerfile says of a process."""

    root: Path
    config: Mapping[str, Any]

    @property
    def user(self) -> str:
        """As `10001:10001`."""
        return str(self.config["User"])

    @property
    def environment(self) -> dict[str, str]:
        """Of ENV."""
        return dict(entry.split("=", 1) for entry in self.config["Env"])


class Container:
    """One process and its children, from the start to `with`'s end."""

    def __init__(self, name: str, image: Image, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._values = [f"{key}={value}" for key, value in {**image.environment, **environment}.items()]
        self._image = image
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the container
        setup = _SETUP.format(
            root=shlex.quote(str(image.root)),
            devices=" ".join(DEVICES),
            uid=UID,
            folder=image.config["WorkingDir"],
            words=shlex.join([*self._values, *words]),
        )
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", setup],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._asked_at = time.monotonic()
        self.seconds_to_end = 0.0
        self.footprint = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.runs:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def log(self) -> str:
        """What it has said."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def output(self, seconds: float = 120) -> str:
        """What it has said once it has ended by itself."""
        self.ended(seconds)
        return self.log()

    def term(self) -> None:
        """SIGTERM to its process 1."""
        leader = self._leader()
        family = [leader, *leader.children(recursive=True)]
        assert {one.uids().real for one in family} == {UID}
        memory = sum(one.memory_full_info().pss for one in family) / 2**20
        self.footprint = f"{len(family)} processes, {memory:.0f} MiB"
        self._asked_at = time.monotonic()
        leader.send_signal(signal.SIGTERM)

    def ended(self, seconds: float) -> int:
        """Its exit code. Raises TimeoutExpired."""
        code = self._process.wait(timeout=seconds)
        self.seconds_to_end = time.monotonic() - self._asked_at
        return code

    def is_content(self, words: Sequence[str]) -> bool:
        """Whether another command beside it, as the kubelet runs for a probe, gives 0."""
        inside = ("--target", str(self._leader().pid), "--mount", "--pid", "--root", "--wd")
        drop = ("--setuid", str(UID), "--setgid", str(UID))
        command = ["nsenter", *inside, *drop, "env", "-i", *self._values, *words]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    @staticmethod
    def answers(address: str) -> bool:
        """Whether an address answers 200."""
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @staticmethod
    def asked(address: str) -> dict[str, Any]:
        """The JSON that an address answers."""
        with urllib.request.urlopen(address, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _leader(self) -> psutil.Process:
        return psutil.Process(self._process.pid).children()[0]
