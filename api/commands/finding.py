"""One line of `inventory-sync doctor`'s report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `unreachable`: a server isn't there, so that other checks make no sense."""

    check: str
    state: Literal["ok", "warning", "problem", "unreachable"]
    message: str
    fix: str | None = None
