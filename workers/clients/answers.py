"""What a vendor answered, and what an unwelcome status means."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

from models.database import DatabaseUnavailable
from workers import clock
from workers.errors import (
    AuthenticationRefused,
    BadAnswer,
    NotFound,
    RateLimited,
    Redirected,
    Refused,
    RemoteError,
    ScopeMissing,
    Unavailable,
)

LONGEST_WAIT = 3600.0  # seconds; a Retry-After of days would park a shop on one faulty header
TEXT_LENGTH = 300  # characters of a vendor's message that are worth a line
REDACTED = "***"

_TOKENS = re.compile(
    r"\bc[ks]_[0-9a-f]{16,}"  # WooCommerce's keys
    r"|\beyJ[\w-]{10,}(?:\.[\w-]+)*"  # a JWT
    r"|(?<=bearer )[\w.~+/=-]{8,}",
    re.IGNORECASE,
)
_KINDS: Mapping[int, type[RemoteError]] = {
    401: AuthenticationRefused,
    403: ScopeMissing,
    404: NotFound,
    408: Unavailable,  # BC answers it where a query ran over 8 minutes
    423: Unavailable,
    425: Unavailable,
    429: RateLimited,
    501: Refused,  # BC: an option that it does not take, today or tomorrow
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's answer, read whole. `headers` is case-insensitive; `url` may hold secrets."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str = field(repr=False)
    what: str = "the request"  # for error texts: vendor, method and route
    writes: bool = False

    def json(self, *, decimals: bool = False) -> Any:
        """The body parsed. `decimals`: fractions as Decimal, so that 0.1 stays 0.1.

        Raises BadAnswer (transient; the outcome unknown where the request was a write) on anything but JSON.
        """
        parse_float: Callable[[str], Any] = Decimal if decimals else float
        try:
            return json.loads(self.body, parse_float=parse_float, parse_constant=_refuse_constant)
        except (ValueError, ArithmeticError, RecursionError):  # Arithmetic: 1e99999999999999999999
            raise self.bad(self._instead(), code="not_json") from None

    def bad(self, message: str, code: str | None = None) -> BadAnswer:
        """The error for an answer that is not what was asked for."""
        text = f"{self.what}: {one_line(message)}"
        return BadAnswer(text, status=self.status, code=code, outcome_unknown=self.writes)

    def _instead(self) -> str:
        start = self.body.lstrip()[:1]
        if not start:
            return "answered with an empty body instead of JSON"
        if start == b"<":
            return "answered with a web page instead of JSON"
        return "answered with broken or truncated JSON" if start in b"[{" else "answered with text, not JSON"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def one_line(text: str, secrets: Collection[str] = ()) -> str:
    """A vendor's message made fit for a log: one short line, no control characters, no known secret."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    text = _TOKENS.sub(REDACTED, text)
    return text if len(text) <= TEXT_LENGTH else text[: TEXT_LENGTH - 3] + "..."


def status_error(
    answer: Answer, explained: tuple[str | None, str] | None, location: str | None
) -> RemoteError:
    """The typed error for a status that was not expected.

    explained: the vendor's code and message. location: where a redirect points, without secrets.
    """
    code, message = explained or (None, "")
    status = answer.status
    if 200 <= status < 300:
        return answer.bad(f"answered {status}, which is not expected here", code)
    if 300 <= status < 400:
        where = location or "an address it did not name"
        return Redirected(f"{answer.what}: redirected ({status}) to {where}", status=status, code=code)
    kind = _KINDS.get(status) or (Unavailable if status >= 500 else Refused)
    detail = ": ".join(part for part in (code, message) if part)
    text = f"{answer.what}: {status} {_phrase(status)}" + (f" ({detail})" if detail else "")
    wait = wait_asked(answer.headers, status) if kind in (RateLimited, Unavailable) else None
    unknown = answer.writes and kind is Unavailable
    return kind(text, status=status, code=code, retry_after=wait, outcome_unknown=unknown)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"


def wait_asked(headers: Mapping[str, str], status: int = 429) -> float | None:
    """Seconds that the answer asks to wait: the longest of its headers, at most an hour. None: not said.

    Retry-After holds seconds or a date; X-Retry-After and X-Rate-Limit-Time-Reset-Ms are BigCommerce's, and
    the latter stands on good answers too, so that it counts on a 429 only.
    """
    waits = [
        _seconds(headers.get("Retry-After"), headers.get("Date")),
        _seconds(headers.get("X-Retry-After"), None),
    ]
    if status == 429:
        reset = _number(headers.get("X-Rate-Limit-Time-Reset-Ms"))
        waits.append(None if reset is None else reset / 1000)
    known = [wait for wait in waits if wait is not None]
    return min(max(known), LONGEST_WAIT) if known else None


def _seconds(value: str | None, now: str | None) -> float | None:
    """Seconds from a header, or until the date in it by the sender's own clock (`now`), else by PostgreSQL's.

    Never by this machine's, which may be minutes off: it would call at once, or far too late.
    """
    number = _number(value)
    if number is not None or value is None:
        return number
    moment = _moment(value)
    if moment is None:
        return None
    try:
        return max(moment - (_moment(now or "") or clock.now().timestamp()), 0.0)
    except DatabaseUnavailable:
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _moment(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
