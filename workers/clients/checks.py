"""One line for a person: what was tried at a vendor, whether it works, and which field to correct."""

from __future__ import annotations

from collections.abc import Callable

from workers.clients.shop import CheckResult
from workers.errors import (
    AuthenticationRefused,
    BadAnswer,
    ConfigurationError,
    ConnectionFailed,
    InventorySyncError,
    MustWait,
    NotFound,
    Redirected,
    ScopeMissing,
)

Fields = Callable[[InventorySyncError], str | None]


def attempt(name: str, act: Callable[[], str], field_of: Fields) -> CheckResult:
    """Try `act`, which says in a few words what it found; an error becomes a line with the field to fix."""
    try:
        return CheckResult(name, True, act())
    except ConfigurationError as error:
        return CheckResult(name, False, error.message, error.field)
    except MustWait as error:
        return CheckResult(name, False, f"not tried: {error}")
    except InventorySyncError as error:
        return CheckResult(name, False, str(error), field_of(error))


def fields(*, address: str, credentials: str, not_found: str) -> Fields:
    """Which field is at fault, by the kind of error; None where no field is (an outage, a limit)."""

    def field_of(error: InventorySyncError) -> str | None:
        match error:
            case ConnectionFailed() | Redirected() | BadAnswer():
                return address
            case AuthenticationRefused() | ScopeMissing():
                return credentials
            case NotFound():
                return not_found
        return None

    return field_of
