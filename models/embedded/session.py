"""The servers for the length of a block, kept alive meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.embedded.errors import EmbeddedError
from models.embedded.lifecycle import ensure, have_died, stop_own
from models.embedded.runtime import Runtime

LOOK_SECONDS = 1.0

Report = Callable[[str], None]


@contextmanager
def running(data_dir: Path, *, durable: bool = True, report: Report | None = None) -> Iterator[Runtime]:
    """Start or join the servers; at the end of the block only what this process owns is stopped.

    With `report`, a server that dies meanwhile is started again over its data, at the same port, and
    `report` gets a line about it. One that was stopped by hand stays stopped.
    """
    runtime = ensure(data_dir, durable=durable)
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(runtime, durable, report, over), daemon=True)
    try:
        if report is not None:
            keeper.start()
        yield runtime
    finally:
        over.set()
        if keeper.ident is not None:
            keeper.join()
        if runtime.started_by_us:
            stop_own(runtime.data_dir)


def _keep(runtime: Runtime, durable: bool, report: Report, over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        try:
            if have_died(runtime.data_dir):
                report("an embedded server has died; starting it again")
                _start_again(runtime, durable, report)
        except EmbeddedError as error:
            report(str(error))


def _start_again(runtime: Runtime, durable: bool, report: Report) -> None:
    now = ensure(runtime.data_dir, durable=durable)
    if (now.database_url, now.redis_url) != (runtime.database_url, runtime.redis_url):
        report("an embedded server had to move to another port; restart Inventory Sync")
    else:
        report("the embedded servers answer again")
