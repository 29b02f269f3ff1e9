"""The fault plan: which calls go wrong, and how. Seeded, so that a run can be repeated."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

HOLD_SECONDS = 120.0  # how long a held connection is kept; beyond any client's read timeout
LATE_SECONDS = (
    5.0  # after the client gave up until an `apply_late` write is applied; inside the 60 s settle time
)
RETRY_AFTER_SECONDS = 1  # what a simulated 429 or 503 asks for: short, so that tests are

KINDS = {
    "500": "500 in the vendor's JSON, not applied",
    "503": "503 in the vendor's JSON, with its header that says when to come back; not applied",
    "503_bare": "503 without such a header, not applied",
    "429": "429 with the vendor's headers",
    "429_bare": "429 without any header that says when to come back",
    "timeout": "no answer; the connection is held until the client gives up; not applied",
    "reset": "the connection is reset; not applied",
    "truncated": "applied; half of the JSON arrives as if it were all",
    "cut_off": "applied; half of the promised bytes arrive, then the connection closes",
    "repeated": "what the route's last good call was answered, byte for byte (a page given twice)",
    "html_502": "502 with a proxy's HTML page, not applied",
    "html_200": "200 with an HTML page (a captive or login page), not applied",
    "slow": "200, but the body trickles byte by byte and never ends; applied",
    "apply_then_reset": "a write is applied, then the connection is reset (a read: `reset`)",
    "apply_late": "a write gets no answer, and is applied after the client gave up (a read: `timeout`)",
    "token_revoked": "401: the token or key is not (or no longer) taken",
}

# For "a 3% fault plan on every call". A timeout costs a client its whole read timeout, so it is rarer.
DEFAULT_MIX = {
    "500": 3,
    "503": 2,
    "429": 3,
    "429_bare": 2,
    "timeout": 1,
    "reset": 3,
    "truncated": 2,
    "cut_off": 1,
    "html_502": 2,
    "html_200": 1,
    "apply_then_reset": 3,
    "apply_late": 1,
}


@dataclass
class Rule:
    """`kind` for calls whose route matches, from the nth such call on, `count` times (None: for ever)."""

    kind: str
    route: str = "*"
    nth: int = 1
    count: int | None = 1
    seen: int = 0

    def takes(self, route: str) -> bool:
        if not matches(self.route, route):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.count is None or self.seen < self.nth + self.count)


@dataclass
class FaultPlan:
    """Explicit rules first; then, at `rate`, a kind drawn from `mix` for routes that match `routes`."""

    rate: float = 0.0
    seed: int = 1
    mix: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_MIX))
    routes: str = "*"
    rules: list[Rule] = field(default_factory=list)
    hold_seconds: float = HOLD_SECONDS
    late_seconds: float = LATE_SECONDS
    retry_after: int = RETRY_AFTER_SECONDS

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()
        unknown = ({rule.kind for rule in self.rules} | set(self.mix)) - set(KINDS)
        if unknown:
            raise ValueError(f"unknown fault kinds {sorted(unknown)}; known: {sorted(KINDS)}")

    def draw(self, route: str) -> str | None:
        """The fault of this call, or None."""
        with self._lock:
            # Every rule sees every call, so that two rules on one route count alike.
            taken = [rule.kind for rule in self.rules if rule.takes(route)]
            if taken:
                return taken[0]
            if self.rate and matches(self.routes, route) and self._random.random() < self.rate:
                return self._random.choices(list(self.mix), weights=list(self.mix.values()))[0]
        return None

    @classmethod
    def from_json(cls, plan: dict[str, Any]) -> FaultPlan:
        """The plan as control calls give it: the fields above, `rules` as objects."""
        fields = {name: value for name, value in plan.items() if name != "rules"}
        return cls(**fields, rules=[Rule(**rule) for rule in plan.get("rules", [])])


def matches(pattern: str, route: str) -> bool:
    """Shell-like patterns where only `*` is special: routes hold brackets and braces of their own."""
    return fnmatchcase(route, pattern.replace("[", "[[]").replace("?", "[?]"))
