"""`python -m tests.simulators`: every simulator in one process, each on its own port."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from .world import Plan, World

PARENT_POLL_SECONDS = 0.5


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bc-items", type=int, default=1000)
    parser.add_argument("--bigcommerce", type=int, default=1, metavar="SHOPS")
    parser.add_argument("--bigcommerce-skus", type=int, default=1000, help="of each BigCommerce shop")
    parser.add_argument("--woocommerce", type=int, default=1, metavar="SHOPS")
    parser.add_argument("--woocommerce-skus", type=int, default=500, help="of each WooCommerce shop")
    parser.add_argument(
        "--woocommerce-tls", action="store_true", help="https with a certificate made at start"
    )
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every call")
    parser.add_argument("--only", action="append", choices=("bc", "bigcommerce", "woocommerce"))
    parser.add_argument("--port", action="append", default=[], metavar="NAME=PORT", help="e.g. bc=9001")
    parser.add_argument("--json-ready", type=Path, metavar="FILE", help="write the ready line there instead")
    parser.add_argument("--parent-pid", type=int, help="end when this process is no longer our parent")
    return parser


def main(arguments: list[str] | None = None) -> None:
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    options = _parser().parse_args(arguments)
    if options.parent_pid:
        threading.Thread(target=_watch, args=(options.parent_pid,), daemon=True).start()
    ports = {name: int(port) for name, _, port in (pair.partition("=") for pair in options.port)}
    plan = Plan(
        seed=options.seed,
        bc_items=options.bc_items,
        bigcommerce=options.bigcommerce,
        bigcommerce_skus=options.bigcommerce_skus,
        woocommerce=options.woocommerce,
        woocommerce_skus=options.woocommerce_skus,
        woocommerce_tls=options.woocommerce_tls,
        latency_ms=options.latency_ms,
        only=tuple(options.only or ("bc", "bigcommerce", "woocommerce")),
        ports=ports,
    )
    world = World(plan)
    gc.freeze()  # a full collection over 100,000 products would hold every answer up for half a second
    _say_ready(json.dumps(world.describe()), options.json_ready)
    threading.Event().wait()


def _say_ready(line: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return
    # Renamed into place, so that who polls for the file never reads half of it.
    draft = file.with_suffix(".tmp")
    draft.write_text(line, encoding="utf-8")
    draft.replace(file)


def _end(signum: int, frame: FrameType | None) -> None:
    """At once: nothing here outlives the process, and connections may be held for minutes by a fault."""
    os._exit(0)


def _watch(parent: int) -> None:
    """Ends with its parent, however that one died."""
    while os.getppid() == parent:
        threading.Event().wait(PARENT_POLL_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
