"""The servers for the length of a block, kept alive meanwhile."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.embedded import room
from models.embedded.errors import EmbeddedError
from models.embedded.lifecycle import ensure, have_died, stop_own
from models.embedded.runtime import Runtime

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 5.0  # until a server that did not start is tried again: it may have to read its whole log

Report = Callable[[str], None]
_NUMBER = re.compile(r"\d+")


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
    told = _Told(report)
    pause = LOOK_SECONDS
    while not over.wait(pause):
        pause = LOOK_SECONDS
        told.about_room(runtime.data_dir)
        try:
            if have_died(runtime.data_dir):
                told.once("an embedded server has died; starting it again")
                _start_again(runtime, durable, report)
                told.forget()
        except EmbeddedError as error:
            told.once(str(error))
            pause = AGAIN_SECONDS


class _Told:
    """What has been reported: trouble that lasts is told once, not at every look."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._said: set[str] = set()
        self._full = False

    def once(self, text: str) -> None:
        """Report it, unless it was since the last trouble ended. Numbers and what a log says change each time."""
        gist = _NUMBER.sub("", text.partition("\n")[0])
        if gist not in self._said:
            self._said.add(gist)
            self._report(text)

    def forget(self) -> None:
        """The trouble is over."""
        self._said.clear()

    def about_room(self, folder: Path) -> None:
        """Report when the disk becomes full, and when it has room again."""
        full = room.is_full(folder)
        if full != self._full:
            self._full = full
            self._report(room.shortage(folder) if full else f"the disk of DATA_DIR {folder} has room again")


def _start_again(runtime: Runtime, durable: bool, report: Report) -> None:
    now = ensure(runtime.data_dir, durable=durable)
    if (now.database_url, now.redis_url) != (runtime.database_url, runtime.redis_url):
        report("an embedded server had to move to another port; restart Inventory Sync")
    else:
        report("the embedded servers answer again")
