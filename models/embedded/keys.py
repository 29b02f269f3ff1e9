"""Secrets that are made once, kept in DATA_DIR for their owner's eyes only, and never overwritten."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet

from models.embedded.errors import EmbeddedError

PRIVATE_FILE = 0o600
PASSWORD_BYTES = 32


def secret_key(folder: Path) -> str:
    """What the panel signs its sessions with."""
    return _kept(folder / "secret_key", _random_hex)


def encryption_keys(folder: Path) -> str:
    """Fernet keys, newest first, separated by commas."""
    return _kept(folder / "encryption_keys", lambda: Fernet.generate_key().decode())


def password(folder: Path, name: str) -> str:
    """The password of one account of one server, in hexadecimal so that it fits into a URL."""
    return _kept(folder / f"{name}_password", _random_hex)


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, readable by its owner only: readers see the old or the new one, never a half."""
    temporary = _private_copy(path, text)
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _kept(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        temporary = _private_copy(path, make() + "\n")
        try:
            os.link(temporary, path)  # fails where another process was quicker: its secret is the one
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    text = path.read_text().strip()
    if not text:
        raise EmbeddedError(
            f"{path} is empty. Restore it from a backup: a new one can't read what the old one wrote."
        )
    return text


def _private_copy(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink()  # no room: whoever tries again and again must not leave a file each time
        raise
    return temporary


def _random_hex() -> str:
    return secrets.token_hex(PASSWORD_BYTES)
