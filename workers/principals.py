"""Who asks for something, by whichever door, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.access import SCOPES


@dataclass(frozen=True, slots=True)
class Principal:
    """A token or a user, by what it may do."""

    kind: Literal["token", "user"]
    id: int
    name: str
    scope: str

    def may(self, scope: str) -> bool:
        """Whether this scope includes the other: read < sync < admin."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)

    def __str__(self) -> str:
        """As it is kept with what was asked for."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever types a command: known to the machine, and allowed all that its configuration allows."""

    name: str
    kind: Literal["cli"] = "cli"
    id: None = None
