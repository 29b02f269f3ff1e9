"""Logs: one line an event, readable on a terminal, JSON elsewhere, and no secret in either.

Every part of the product logs through structlog or the standard library; both end here. What a line carries
beside its own facts (request_id, job_id, run_id, site_id) is bound with `structlog.contextvars`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import IO, Any

import structlog
from structlog.typing import EventDict, Processor

from models.config import load
from models.crypto import Secret

HIDDEN = "***"
OURS = ("models", "workers", "api")
_SENSITIVE = re.compile(
    r"secret|token|passw|authori[sz]ation|cookie|credential|consumer_key|api_key|encryption_key|signature",
    re.IGNORECASE,
)
_HARMLESS = frozenset({"token_id", "token_url", "token_name"})
_IN_TEXT = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{HIDDEN}@"),  # the password in a URL
    (re.compile(r"\b(?:ist|ck|cs)_[\w-]{16,}"), HIDDEN),  # our own tokens, WooCommerce's keys
    (re.compile(r"(?i)\b(client_secret|access_token|consumer_secret|consumer_key)=[^&\s]+"), rf"\1={HIDDEN}"),
)


def configure(role: str, *, stream: IO[str] | None = None) -> None:
    """Set up the logs of this process, once; `role` (web, worker, ...) stands on every line."""
    found = load()
    terminal = (stream or sys.stderr).isatty()
    console = found.log_format == "console" or (found.log_format == "auto" and terminal)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _RoleAdder(role),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[found.log_level]),
    )
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(console)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if not isinstance(other, _Handler)] + [handler]
    # DEBUG is for our own modules: libraries log whole URLs, signatures and SQL parameters at that level.
    root.setLevel(max(logging.getLevelNamesMapping()[found.log_level], logging.INFO))
    for package in OURS:
        logging.getLogger(package).setLevel(found.log_level)


def redact(_: Any, __: str, event: EventDict) -> EventDict:
    """The one place where secrets are taken out of log lines: by the name of a key, and by their look."""
    return {key: _without_secrets(key, value) for key, value in event.items()}


class _Handler(logging.StreamHandler[IO[str]]):
    """Ours, so that configuring again replaces it; writes to whatever standard error is at the moment."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._fixed = stream
        super().__init__(stream or sys.stderr)

    @property
    def stream(self) -> IO[str]:
        return self._fixed or sys.stderr

    @stream.setter
    def stream(self, _: IO[str]) -> None:
        pass


class _RoleAdder:
    def __init__(self, role: str) -> None:
        self._role = role

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("role", self._role)
        return event


def _renderer(console: bool) -> Processor:
    if console:
        return structlog.dev.ConsoleRenderer(colors=True)
    return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)


def _without_secrets(key: str, value: Any) -> Any:
    if isinstance(value, Secret) or (
        value and isinstance(key, str) and key not in _HARMLESS and _SENSITIVE.search(key)
    ):
        return HIDDEN
    if isinstance(value, str):
        for pattern, replacement in _IN_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {name: _without_secrets(str(name), entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets("", entry) for entry in value]
    return value
