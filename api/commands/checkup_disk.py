"""What `inventory-sync doctor` says of disks: there is room, and what is written is taken."""

from __future__ import annotations

from collections.abc import Iterator

from peewee import DatabaseError, ProgrammingError

from api.commands.finding import Finding
from models import config
from models.database import execute, transaction
from models.embedded import room
from workers.database_errors import out_of_space

_GROW = (
    "CREATE TEMPORARY TABLE doctor_writes ON COMMIT DROP AS SELECT generate_series(1, 30000)"  # about 1 MB
)


def check_disk() -> Iterator[Finding]:
    """The disk of DATA_DIR has room. Of other servers' disks we see only whether they take what is written."""
    loaded = config.load()
    if not loaded.embedded:
        return
    free = room.free_bytes(loaded.data_dir)
    said = f"{free / 1024**3:,.1f} GB are free for DATA_DIR {loaded.data_dir}"
    fix = "make room there: on a full disk all work stops until there is some"
    if room.is_full(loaded.data_dir):
        yield Finding("disk", "problem", said, fix)
    elif free < room.LITTLE_BYTES:
        yield Finding("disk", "warning", said, fix)
    else:
        yield Finding("disk", "ok", said)


def check_writing() -> Finding:
    """PostgreSQL has room for what is written."""
    try:
        with transaction():
            execute(_GROW)
    except ProgrammingError:  # the account may not make such tables
        pass
    except DatabaseError as error:
        said = str(error).splitlines()[0]
        if out_of_space(error):
            return Finding("database room", "problem", said, "make room on PostgreSQL's disk")
        fix = "see PostgreSQL's log; a standby must be made the primary, or DATABASE_URL name another server"
        return Finding("database room", "problem", f"it takes no write: {said}", fix)
    return Finding("database room", "ok", "PostgreSQL takes what is written")
