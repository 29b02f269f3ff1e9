"""Secrets at rest: encrypted with the newest key, readable with any key that is still listed."""

from __future__ import annotations

import functools
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from peewee import TextField

from models.config import settings


class UndecryptableError(Exception):
    """A stored secret can't be read with the keys in ENCRYPTION_KEYS."""

    def __init__(self) -> None:
        super().__init__(
            "ENCRYPTION_KEYS: none of these keys can decrypt a stored secret; put the key that wrote "
            "it back into the list (newest first), or set the secret again"
        )


@functools.cache
def _box(keys: str) -> MultiFernet:
    return MultiFernet([Fernet(key.strip()) for key in keys.split(",")])


def box() -> MultiFernet:
    """The keys of this process, newest first."""
    keys = settings().encryption_keys
    assert keys is not None  # load() refuses a DATABASE_URL without keys; embedded mode makes them
    return _box(keys)


def encrypt(plain: str) -> str:
    """Text to a token for a column; the newest key writes."""
    return box().encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """A column's token to text. Raises UndecryptableError."""
    try:
        return box().decrypt(token.encode()).decode()
    except InvalidToken:
        raise UndecryptableError from None


def rotate(token: str) -> str:
    """The same secret under the newest key. Raises UndecryptableError."""
    try:
        return box().rotate(token.encode()).decode()
    except InvalidToken:
        raise UndecryptableError from None


class Secret:
    """A secret that is decrypted only where it is used, and never shows in a log or a traceback.

    Lazy, so that one row written with a lost key fails alone and not every list that it stands in.
    """

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token

    @property
    def token(self) -> str:
        """What the database holds."""
        return self._token

    def reveal(self) -> str:
        """The plain text. Raises UndecryptableError."""
        return decrypt(self._token)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class SecretField(TextField):
    """A column that holds a Fernet token; reads give a lazy `Secret`, writes take plain text or a Secret."""

    def db_value(self, value: str | Secret | None) -> str | None:
        if value is None:
            return None
        return value.token if isinstance(value, Secret) else encrypt(value)

    def python_value(self, value: Any) -> Secret | None:
        return None if value is None else Secret(value)
