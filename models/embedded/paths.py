"""Where the embedded servers keep their files, and as whom they run."""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from models.embedded.errors import EmbeddedError

ROOT_DATA_DIR = Path("/var/lib/inventory-sync")
SERVICE_USERS = ("postgres", "nobody")
# As root: others may pass through to the servers' own folders (0700), but not list what is here.
SHARED_MODE = 0o711
PRIVATE_MODE = 0o700
OUR_FILES = frozenset({"lock", "log", "bin", "postgres", "valkey", "runtime.json", "ports.json"})


@dataclass(frozen=True)
class Account:
    """The unprivileged user that the servers run as when we are root."""

    name: str
    uid: int
    gid: int


def default_data_dir() -> Path:
    """The folder used when DATA_DIR is not set."""
    if os.geteuid() == 0:
        return ROOT_DATA_DIR
    return Path.home() / ".local" / "share" / "inventory-sync"


def service_account() -> Account | None:
    """The user for the servers: None means ourselves, since only root has to step down.

    Raises EmbeddedError where root finds no unprivileged user: PostgreSQL refuses to run as root.
    """
    if os.geteuid() != 0:
        return None
    for name in SERVICE_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody' to run it as. "
        "Create one (useradd --system postgres), or start Inventory Sync as an ordinary user."
    )


def prepare_data_dir(data_dir: Path, account: Account | None) -> Path:
    """Create the data folder where it is missing, and return its real path.

    Raises EmbeddedError where it can't be written, or where the servers' user can't reach it.
    """
    folder = Path(os.path.realpath(data_dir.expanduser()))
    try:
        _create(folder, account)
        (folder / "log").mkdir(mode=PRIVATE_MODE, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"DATA_DIR {folder} can't be prepared: {error.strerror}. "
            "Set DATA_DIR to a folder that this user may write to."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EmbeddedError(
            f"DATA_DIR {folder} is not writable by this user. Set DATA_DIR to a folder that is, "
            "or run as the user who started Inventory Sync there before."
        )
    if account is not None:
        _check_reachable(folder, account)
    return folder


def own_folder(path: Path, account: Account | None) -> None:
    """Create a private folder that belongs to the servers' user."""
    path.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _create(folder: Path, account: Account | None) -> None:
    missing = [parent for parent in reversed(folder.parents) if not parent.exists()]
    for parent in missing:
        parent.mkdir(exist_ok=True)
        if account is not None:
            parent.chmod(0o755)  # a strict umask must not lock the servers' user out of what we just made
    if not folder.exists():
        folder.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    if account is not None and _is_ours(folder):
        folder.chmod(SHARED_MODE)


def _is_ours(folder: Path) -> bool:
    """Whether we made this folder, or it is empty: a folder with other people's files keeps its mode."""
    names = {entry.name for entry in folder.iterdir()}
    return not names or bool(names & {"runtime.json", "ports.json"}) or names <= OUR_FILES


def _check_reachable(folder: Path, account: Account) -> None:
    if _can_enter(folder, account):
        return
    closed = next((p for p in (*reversed(folder.parents), folder) if not _may_pass(p, account)), folder)
    raise EmbeddedError(
        f"DATA_DIR {folder} can't be reached by the user '{account.name}', as whom PostgreSQL runs because "
        f"it refuses root: {closed} is closed to it (mode {stat.S_IMODE(closed.stat().st_mode):04o}). "
        f"Set DATA_DIR to a folder below one that others may pass, such as {ROOT_DATA_DIR}, "
        f"or open that folder yourself (chmod o+x {closed}). Nothing was changed."
    )


def _can_enter(folder: Path, account: Account) -> bool:
    """Ask the kernel by really going there as that user, so that ACLs and mounts count too."""
    done = subprocess.run(  # noqa: S603 - a fixed command
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        env={},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def _may_pass(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
