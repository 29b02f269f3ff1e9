"""What a client is told where PostgreSQL doesn't do its work: it is away, or its disk is full."""

from __future__ import annotations

from models import config
from models.embedded import room
from workers.database_errors import out_of_space

UNAVAILABLE = ("database_unavailable", "The database is not reachable now.")
FULL = (
    "disk_full",
    "The disk of the database is full: make room there, and try again. Nothing that was accepted is lost.",
)


def told(error: BaseException) -> tuple[str, str]:
    """The code and the sentence for an error of peewee's that means 503.

    Of the embedded server's disk we can see for ourselves that it is full: then PostgreSQL may not even run.
    """
    if out_of_space(error):
        return FULL
    loaded = config.load()
    return FULL if loaded.embedded and room.is_full(loaded.data_dir) else UNAVAILABLE
