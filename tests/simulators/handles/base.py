"""What every simulator can be asked and told."""

from __future__ import annotations

from typing import Any

import requests

CONTROL_TIMEOUT = 60  # seconds; comparing 100,000 rows takes about one


class ControlError(Exception):
    """The simulator refused a control call."""


class SimulatorHandle:
    """What every simulator can be asked and told."""

    def __init__(self, name: str, url: str, certificate_file: str = "") -> None:
        self.name = name
        self.url = url
        self.certificate_file = certificate_file  # to be trusted by clients of an https simulator
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = certificate_file or True

    def control(self, action: str, **body: Any) -> Any:
        """Any control action by name; README.md lists them."""
        response = self._session.post(f"{self.url}/__control__/{action}", json=body, timeout=CONTROL_TIMEOUT)
        if response.status_code != 200:
            raise ControlError(response.json().get("error", response.text))
        return response.json()

    def counts(self) -> dict[str, Any]:
        """calls, statuses, violations, examples, refusals, faults, peaks, errors."""
        counts: dict[str, Any] = self.control("counts")
        return counts

    def calls(self) -> dict[str, int]:
        """Vendor calls by route, as `GET /catalog/products`."""
        calls: dict[str, int] = self.counts()["calls"]
        return calls

    def total_calls(self) -> int:
        return sum(self.calls().values())

    def violations(self) -> dict[str, int]:
        """What the client could have known not to do. Empty is the only good answer."""
        violations: dict[str, int] = self.counts()["violations"]
        return violations

    def requests_seen(self) -> list[dict[str, Any]]:
        """The last requests: at, seconds, route, target, status."""
        seen: list[dict[str, Any]] = self.control("requests")["requests"]
        return seen

    def reset(self) -> None:
        """Counts start anew; stock, faults and settings stay."""
        self.control("reset")

    def set_faults(self, rate: float = 0.0, rules: list[dict[str, Any]] | None = None, **plan: Any) -> None:
        """Replaces the fault plan (faults.FaultPlan has the fields); without arguments, no faults."""
        self.control("faults", rate=rate, rules=rules or [], **plan)

    def set_latency(self, milliseconds: float, jitter: float = 0) -> None:
        """Each call takes so long before it is worked on; `jitter`: its answer, up to so long after it was."""
        self.control("latency", ms=milliseconds, jitter_ms=jitter)

    def configure(self, **settings: Any) -> None:
        self.control("configure", **settings)

    def after(self, route: str, *steps: dict[str, Any], nth: int = 1, early: bool = False) -> None:
        """Does the steps once the nth next call of `route` has been worked on, before it is answered.

        A step is `{"action": "delete_product", "product_id": 5}`; `"on": name` aims at another simulator.
        early: before it is worked on.
        """
        self.control("after", route=route, nth=nth, do=list(steps), early=early)

    def hold(self, route: str, gate: str, *, nth: int = 1, early: bool = False) -> None:
        """The nth next call of `route` goes no further until `let_go`: unanswered, or `early`, not worked on."""
        self.after(route, {"action": "hold", "gate": gate}, nth=nth, early=early)

    def held(self, gate: str) -> int:
        """How many calls have come to a gate."""
        number: int = self.control("held", gate=gate)["number"]
        return number

    def let_go(self, gate: str) -> None:
        """Opens a gate, for good."""
        self.control("let_go", gate=gate)
