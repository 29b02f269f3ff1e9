"""What goes on in a thread of its own while a test does something else."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self


class Meanwhile:
    """It runs from start to end of a block; whoever leaves the block waits for it."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)

    def _run(self) -> None:
        """Until `_closing` is set."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()
