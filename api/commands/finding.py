"""One line of `inventory-sync doctor`'s report, and the words that several checks use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem", "unreachable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `unreachable`: a server isn't there, so that other checks make no sense."""

    check: str
    state: State
    message: str
    fix: str | None = None


def ago(seconds: float, suffix: str = " ago") -> str:
    """A length of time in the one unit that matters: `3 hours ago`."""
    for length, one, many in ((86_400, "day", "days"), (3_600, "hour", "hours"), (60, "minute", "minutes")):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {many}{suffix}"
        if seconds >= length:
            return f"1 {one}{suffix}"
    return f"{max(seconds, 0):.0f} s{suffix}"
