"""Starts the simulators in a process of their own, and ends it whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .handles import BigCommerceHandle, BusinessCentralHandle, SimulatorHandle, WooCommerceHandle

START_SECONDS = 120  # 100,000 SKUs on a busy two-core machine take about ten
ROOT = Path(__file__).resolve().parents[2]


class Simulators:
    """A context manager: `with Simulators.start(bigcommerce_skus=2000) as simulators: ...`.

    `simulators.bc`, `simulators.bigcommerce[0]` and `simulators.woocommerce[0]` are handles.
    """

    def __init__(self, process: subprocess.Popen[str], log: IO[bytes]) -> None:
        self.process = process
        self._log = log
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        described = self._ready()
        self.bc = BusinessCentralHandle(described["bc"])
        self.bigcommerce = [BigCommerceHandle(shop) for shop in described["bigcommerce"]]
        certificate = self._keep(described["certificate"])
        self.woocommerce = [WooCommerceHandle(shop, certificate) for shop in described["woocommerce"]]

    @classmethod
    def start(
        cls,
        *,
        seed: int = 1,
        bc_items: int = 1000,
        bigcommerce_skus: int = 1000,
        woocommerce_skus: int = 500,
        bigcommerce: int = 1,
        woocommerce: int = 1,
        woocommerce_tls: bool = False,
        latency_ms: float = 0,
        ports: dict[str, int] | None = None,
    ) -> Simulators:
        """Returns once all listen.

        `bigcommerce` and `woocommerce` say how many shops, each with that many SKUs; `ports` fixes some by
        name (`bc`, `bigcommerce-0`, `woocommerce-0`).
        """
        options = [
            f"--seed={seed}",
            f"--bc-items={bc_items}",
            f"--bigcommerce={bigcommerce}",
            f"--bigcommerce-skus={bigcommerce_skus}",
            f"--woocommerce={woocommerce}",
            f"--woocommerce-skus={woocommerce_skus}",
            f"--latency-ms={latency_ms}",
            f"--parent-pid={os.getpid()}",
            *(["--woocommerce-tls"] if woocommerce_tls else []),
            *(f"--port={name}={port}" for name, port in (ports or {}).items()),
        ]
        log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulators", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C in a terminal is for the program that started us to handle
        )
        try:
            return cls(process, log)
        except BaseException:
            process.kill()
            process.wait()
            raise

    def _ready(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = _within(START_SECONDS, self.process.stdout.readline, self.process.kill)
        if not line:
            self.process.wait()
            raise RuntimeError(f"the simulators did not start:\n{self.log()}")
        described: dict[str, Any] = json.loads(line)
        return described

    def _keep(self, certificate: str) -> str:
        """The certificate's file, for `verify=` or REQUESTS_CA_BUNDLE; empty without TLS."""
        if not certificate:
            return ""
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "simulators.pem"
        file.write_text(certificate, encoding="ascii")
        return str(file)

    def log(self) -> str:
        """What the process wrote to standard error: the simulators' own mistakes."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def all(self) -> list[SimulatorHandle]:
        return [self.bc, *self.bigcommerce, *self.woocommerce]

    def reset(self) -> None:
        """Counts of every simulator start anew."""
        for simulator in self.all():
            simulator.reset()

    def set_faults(self, rate: float = 0.0, **plan: Any) -> None:
        """The same fault plan on every simulator."""
        for simulator in self.all():
            simulator.set_faults(rate, **plan)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Simulators:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _within(seconds: float, read: Callable[[], str], give_up: Callable[[], None]) -> str:
    """`read()`, made to return by `give_up()` when it takes too long."""
    timer = threading.Timer(seconds, give_up)
    timer.start()
    try:
        return read()
    finally:
        timer.cancel()
