"""The one tree of errors. A remote error says whether trying again can help, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.clients.shop import ItemRef, WriteResult


class InventorySyncError(Exception):
    """The root of all errors of this project."""


class ConfigurationError(InventorySyncError):
    """A setting or a field is wrong: says which one, and the fix.

    `field` is the name that a user typed it under; the message never repeats the value.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class MustWait(InventorySyncError):  # noqa: N818 - not a failure: the job gives its thread back
    """A limit, a breaker or a store's lease is not free yet. Costs no attempt.

    `seconds` from now until it is worth trying again.
    """

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(f"{reason}: wait {seconds:.1f} s")
        self.seconds = max(seconds, 0.0)
        self.reason = reason


class LeaseLost(InventorySyncError):  # noqa: N818 - states a fact, as RemoteTimeout does
    """Somebody else holds this job or this store now: stop at once and change nothing more."""


class PermanentFailure(InventorySyncError):  # noqa: N818
    """This job can't succeed as it stands: failed at once, with the reason."""


class RemoteError(InventorySyncError):
    """A vendor did not do what was asked.

    permanent: trying the same again can't help (bad secret, unknown company, refused row).
    retry_after: seconds, where the vendor said so; None = our own backoff decides.
    outcome_unknown: the request may have been applied although no answer came (timeout, reset, 5xx).
    code: the vendor's own error code, for messages and tests; never a body, which may hold secrets.
    """

    permanent = False
    outage: str | None = None  # why the job now waits like all whom its vendor's open breaker holds up
    told_breaker = False  # the breaker of whoever failed knows of it: a job's own vendor is not to blame

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        outcome_unknown: bool = False,
        permanent: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown
        if permanent is not None:
            self.permanent = permanent


class AuthenticationRefused(RemoteError):  # noqa: N818
    """401, a bad or expired secret, an unknown app: a person has to act."""

    permanent = True


class ScopeMissing(RemoteError):  # noqa: N818
    """403: the credentials are right, but lack a permission. Says which, where it is known."""

    permanent = True


class NotFound(RemoteError):  # noqa: N818
    """404: an unknown company, store, environment or route."""

    permanent = True


class Redirected(RemoteError):  # noqa: N818
    """The shop answered with a redirect. Never followed with credentials; says where it points."""

    permanent = True


class Refused(RemoteError):  # noqa: N818
    """400, 409, 413, 414, 422 and the like: the request itself is at fault."""

    permanent = True


class RateLimited(RemoteError):  # noqa: N818
    """429: waits (no attempt is spent). `retry_after` may be None, since vendors leave the header out."""


class Unavailable(RemoteError):  # noqa: N818
    """5xx, 423 or maintenance: later."""


class BadAnswer(RemoteError):  # noqa: N818
    """A 2xx whose body is not what was asked for: HTML, truncated JSON, a missing key."""


class ConnectionFailed(RemoteError):  # noqa: N818
    """No answer at all: refused, reset, DNS, TLS. `code` is dns, tls, connect, reset or address."""


class RemoteTimeout(RemoteError):  # noqa: N818
    """The connect, read or total deadline passed."""


class PartialWrite(InventorySyncError):  # noqa: N818
    """A batch of stock writes stopped half-way: what is decided must be recorded, then `cause` handled.

    results: the rows whose fate is known.
    unsure: the rows carried by the call that failed without an answer, if its outcome is unknown.
    Rows of the batch in neither were not sent, or their whole call was refused: push them again.
    cause: what stopped it, never a PartialWrite itself.
    """

    def __init__(
        self, results: Sequence[WriteResult], unsure: Sequence[ItemRef], cause: InventorySyncError
    ) -> None:
        super().__init__(f"{len(results)} rows decided, {len(unsure)} unsure, then: {cause}")
        self.results = tuple(results)
        self.unsure = tuple(unsure)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong. `field` as a user typed it; the message says the fix and repeats no value."""

    field: str
    message: str


class InvalidFields(InventorySyncError):  # noqa: N818
    """What was given can't be stored: every field that is wrong, at once."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class UnknownRecord(InventorySyncError):  # noqa: N818
    """There is no such row. `kind` is the noun: company, site, run, job, item, token."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"no such {kind}")
        self.kind = kind


class Conflict(InventorySyncError):  # noqa: N818
    """What was asked for is well formed, but not possible as things stand.

    `code` is short and stable, for programs; `field` names what to change, where one field is at fault.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
