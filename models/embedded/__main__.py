"""`python -m models.embedded --data-dir D [start|stop|status]`, for use by hand."""

import argparse
import sys
from pathlib import Path

from models.embedded.errors import EmbeddedError
from models.embedded.lifecycle import ensure, read_runtime, stop
from models.embedded.paths import default_data_dir
from models.embedded.runtime import Runtime


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m models.embedded", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=default_data_dir(), help="default: %(default)s")
    parser.add_argument("command", nargs="?", choices=["start", "stop", "status"], default="status")
    chosen = parser.parse_args(arguments)
    try:
        return {"start": _start, "stop": _stop, "status": _status}[chosen.command](chosen.data_dir)
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _start(data_dir: Path) -> int:
    _describe(ensure(data_dir, owned=False))
    return 0


def _stop(data_dir: Path) -> int:
    sys.stdout.write("stopped\n" if stop(data_dir) else "nothing was running\n")
    return 0


def _status(data_dir: Path) -> int:
    runtime = read_runtime(data_dir)
    if runtime is None:
        sys.stdout.write(f"not running in {data_dir}\n")
        return 1
    _describe(runtime)
    return 0


def _describe(runtime: Runtime) -> None:
    sys.stdout.write(f"DATABASE_URL={runtime.database_url}\nREDIS_URL={runtime.redis_url}\n")


if __name__ == "__main__":
    sys.exit(main())
