"""Room on the disk of the data folder: how much is too little, and what to say then."""

import errno
import shutil
from pathlib import Path

LITTLE_BYTES = 1024**3
"""Below this a person should know: PostgreSQL's log alone may take half of it, a clean-up makes files twice."""
LEAST_BYTES = 32 * 1024**2
"""Below this the disk counts as full: PostgreSQL's log grows by files of 16 MB."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""A quota and a largest size of files (ulimit -f) end as a full disk does."""
_SIGNS = ("No space left on device", "Disk quota exceeded", "File too large")


def free_bytes(folder: Path) -> int:
    """What the servers' user may still write there. Raises OSError."""
    return shutil.disk_usage(folder).free


def is_full(folder: Path) -> bool:
    """Whether the disk of the data folder has no room left; False where nobody can say."""
    try:
        return free_bytes(folder) < LEAST_BYTES
    except OSError:
        return False


def told_by(text: str) -> bool:
    """Whether a server's words say that it found no room."""
    return any(sign in text for sign in _SIGNS)


def shortage(folder: Path) -> str:
    """The sentence for a full disk, with what helps."""
    try:
        free = f" ({free_bytes(folder) / 1024**2:.0f} MB are free)"
    except OSError:
        free = ""
    return (
        f"The disk of DATA_DIR {folder} is full{free}, or a quota or a limit on the size of files is reached. "
        "Make room there, and all goes on by itself: nothing that was accepted is lost."
    )
