"""What PostgreSQL itself said: which constraint it was, whether it was a deadlock, whether its disk is full."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import psycopg2
import structlog
from peewee import OperationalError, PeeweeException
from psycopg2 import errorcodes
from psycopg2.errors import DeadlockDetected

from models.database import db

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

NO_ROOM_HINT = "Check free disk space."  # PostgreSQL's, where a table can't grow
MOST_TRIES = 6  # each waits a second (PostgreSQL's deadlock_timeout) before it is told
APART_SECONDS = 0.3  # those who met once must not meet again at the same step


def retried(function: Callable[P, T]) -> Callable[P, T]:
    """Call a function that is one whole transaction again where it was a deadlock's victim.

    PostgreSQL has undone all of it and let somebody else go first. Inside somebody's transaction nothing is
    tried again: the locks of that one would stay, so the error goes to its owner.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        for left in range(MOST_TRIES - 1, -1, -1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if not left or not _is_deadlock(error) or db.in_transaction():
                    raise
                log.warning("a deadlock's victim: tried again", action="deadlock", what=function.__name__)
                time.sleep(random.uniform(0, APART_SECONDS))  # noqa: S311 - only so that they part
        raise AssertionError("unreachable")

    return wrapper


def constraint(error: PeeweeException) -> str:
    """The name of the constraint that was violated; never the message, which quotes values."""
    said = error.__context__
    return (said.diag.constraint_name or "") if isinstance(said, psycopg2.Error) else ""


def out_of_space(error: BaseException) -> bool:
    """Whether PostgreSQL found no room: a full disk, a quota, a limit on the size of files.

    Only the first has a code of its own; the others come with the same advice.
    """
    said = error.__context__
    if not isinstance(said, psycopg2.Error):
        return False
    return said.pgcode == errorcodes.DISK_FULL or said.diag.message_hint == NO_ROOM_HINT


def _is_deadlock(error: OperationalError) -> bool:
    return isinstance(
        error.__context__, DeadlockDetected
    )  # peewee raises its own error while handling this one
