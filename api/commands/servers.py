"""The database that a command works on: the one of the environment, or the embedded servers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import ParamSpec, TypeVar

from api.commands.recording import recorded
from models import config
from models.database import configure, db
from models.embedded import Runtime, running
from models.migrate import migrate
from workers import log

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def servers(
    *, report: Callable[[str], None] | None = None, migrated: bool = True
) -> Iterator[Runtime | None]:
    """Settings and database ready for the length of the block; gives the embedded servers, or None.

    Without DATABASE_URL it joins the servers that run on DATA_DIR, or starts them for this block and brings
    their tables up to date: nobody has to run `migrate` there. With `report` servers that die are restarted.
    What the block does is in the audit log, unless its command only reads.
    """
    loaded = config.load()
    log.configure("cli")  # to standard error: what a command prints is for whoever asked, and may be JSON
    with ExitStack() as stack:
        runtime = None
        if loaded.embedded:
            runtime = stack.enter_context(running(loaded.data_dir, report=report))
            config.settings.cache_clear()
        configure()
        stack.callback(db.close_all)
        if migrated and runtime is not None and runtime.started_by_us:
            migrate()
        with recorded():
            yield runtime


def with_database(command: Callable[P, T]) -> Callable[P, T]:
    """Run a command inside `servers()`."""

    @functools.wraps(command)
    def wrapper(*arguments: P.args, **options: P.kwargs) -> T:
        with servers():
            return command(*arguments, **options)

    return wrapper
