"""Settings from the environment: parsed once, failing loudly with the name and the fix.

Every setting stands in `Settings` with its default and its help; docs/configuration.md lists the same
names and a test holds the two together.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

from cryptography.fernet import Fernet
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.embedded import default_data_dir


class SettingsError(Exception):
    """A setting is missing or wrong: one line per fault, each with the variable and the fix."""


class Settings(BaseSettings):
    """All settings; each is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    database_url: str | None = Field(
        default=None,
        description="PostgreSQL, postgresql://user:password@host:port/name. Unset: the embedded server.",
    )
    redis_url: str | None = Field(
        default=None,
        description="Redis or Valkey, redis://:password@host:port/0. Unset: the embedded server.",
    )
    secret_key: str | None = Field(
        default=None,
        description="Signs sessions and cursors: at least 32 random characters. Required with DATABASE_URL.",
    )
    encryption_keys: str | None = Field(
        default=None,
        description="Fernet keys for credentials, comma-separated, newest first. Required with DATABASE_URL.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir, description="Where the embedded servers keep their data."
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port for /metrics of roles without a web server."
    )
    alive_file: Path | None = Field(
        default=None,
        description="Touched by workers, dispatcher and scheduler while they turn; workers.alive looks at it.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: readable on a terminal, JSON elsewhere."
    )
    allow_private_addresses: bool = Field(
        default=False, description="Let URLs given by an admin lead to loopback or private addresses."
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="How many proxies stand before us, whose X-Forwarded headers are believed.",
    )
    allow_plain_http: bool = Field(
        default=False, description="Let people of other machines sign in to the panel without HTTPS."
    )
    database_pool_size: int = Field(
        default=20, ge=1, le=500, description="Most PostgreSQL connections of one process."
    )
    job_lease_seconds: float = Field(
        default=45.0, ge=1, description="How long a claimed job is held without a sign of life."
    )
    store_lease_seconds: float = Field(
        default=62.0,
        ge=1,
        description="How long a store's write lease lasts unrenewed: the write deadline and 15 s more.",
    )
    write_deadline_seconds: float = Field(
        default=45.0, ge=0.5, description="The longest that one stock write may take in all."
    )
    settle_seconds: float = Field(
        default=60.0, ge=0, description="How long BigCommerce may take to show an accepted write."
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value or None

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis:// or rediss://")
        return value or None

    @field_validator("encryption_keys")
    @classmethod
    def _are_fernet_keys(cls, value: str | None) -> str | None:
        for number, key in enumerate((value or "").split(","), start=1):
            if value is not None:
                try:
                    Fernet(key.strip())
                except ValueError as error:
                    raise ValueError(
                        f"key {number} is not a Fernet key (32 bytes in url-safe base64): make one with "
                        "`inventory-sync keys generate`"
                    ) from error
        return value

    @property
    def embedded(self) -> bool:
        """True where this process relies on the embedded servers."""
        return self.database_url is None or self.redis_url is None


def load() -> Settings:
    """Read the environment.

    Raises SettingsError with every fault, named by its variable; no value is repeated.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [
            f"{str(fault['loc'][0]).upper()}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("\n".join(lines)) from None
    if settings.database_url and not settings.redis_url:
        raise SettingsError(
            "REDIS_URL: set it too, since DATABASE_URL is set (or unset both for the embedded servers)"
        )
    if settings.redis_url and not settings.database_url:
        raise SettingsError(
            "DATABASE_URL: set it too, since REDIS_URL is set (or unset both for the embedded servers)"
        )
    if settings.database_url:
        for name in ("secret_key", "encryption_keys"):
            if not getattr(settings, name):
                raise SettingsError(
                    f"{name.upper()}: required with DATABASE_URL; see `inventory-sync keys generate`"
                )
    if settings.secret_key is not None and len(settings.secret_key) < 32:
        raise SettingsError("SECRET_KEY: at least 32 characters")
    return settings


@functools.cache
def settings() -> Settings:
    """The settings of this process, with the embedded servers' addresses and keys where those are used.

    Where no DATABASE_URL is set, joins the embedded servers that run on DATA_DIR (models/embedded), or raises
    SettingsError: starting them is for `up`, `demo` and the commands, not for a library call.
    """
    from models.embedded import read_runtime

    loaded = load()
    if not loaded.embedded:
        return loaded
    runtime = read_runtime(loaded.data_dir)
    if runtime is None:
        raise SettingsError(
            f"no server runs on {loaded.data_dir}: start one with `inventory-sync up`, "
            "or set DATABASE_URL and REDIS_URL"
        )
    return loaded.model_copy(
        update={
            "database_url": runtime.database_url,
            "redis_url": runtime.redis_url,
            "secret_key": loaded.secret_key or runtime.secret_key,
            "encryption_keys": loaded.encryption_keys or runtime.encryption_keys,
        }
    )
