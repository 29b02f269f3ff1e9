"""The control API: `/__control__/{action}`, plain JSON, never counted as a vendor's call."""

from __future__ import annotations

import threading
import traceback
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .faults import FaultPlan
from .wire import Request, Response, json_response

if TYPE_CHECKING:
    from .simulator import Simulator

Action = Callable[[dict[str, Any]], Any]

HOLD_SECONDS = 30.0  # a call that is held is let go by then, whatever becomes of the test


class ControlPanel:
    """Named actions, each a function of one JSON object. README.md lists them."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.panels: dict[str, ControlPanel] = {
            simulator.name: self
        }  # of every simulator in this process, by name
        self.actions: dict[str, Action] = {
            "ping": lambda body: {"name": simulator.name},
            "counts": lambda body: simulator.counters.snapshot(),
            "requests": lambda body: {"requests": simulator.counters.request_log()},
            "reset": self._reset,
            "faults": self._faults,
            "latency": self._latency,
            "after": self._after,
            "hold": self._hold,
            "held": lambda body: {"number": self._held[str(body["gate"])]},
            "let_go": self._let_go,
        }
        self._gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self._held: defaultdict[str, int] = defaultdict(int)

    def add(self, **actions: Action) -> None:
        self.actions.update(actions)

    def do(self, action: str, body: dict[str, Any]) -> Any:
        if action not in self.actions:
            raise KeyError(f"no control action {action!r}; known: {sorted(self.actions)}")
        return self.actions[action](body)

    def answer(self, request: Request) -> Response:
        action = request.path.removeprefix("/__control__/").strip("/")
        try:
            body = request.json() if request.body else dict(request.query)
            return json_response(self.do(action, body))
        except Exception as error:
            traceback.print_exc()
            return json_response({"error": f"{type(error).__name__}: {error}"}, 400)

    def _reset(self, body: dict[str, Any]) -> Any:
        self._simulator.counters.reset()
        return {}

    def _faults(self, body: dict[str, Any]) -> Any:
        self._simulator.faults = FaultPlan.from_json(body)
        return {}

    def _latency(self, body: dict[str, Any]) -> Any:
        self._simulator.latency_seconds = float(body["ms"]) / 1000
        self._simulator.jitter_seconds = float(body.get("jitter_ms", 0)) / 1000
        return {}

    def _after(self, body: dict[str, Any]) -> Any:
        """`{route, nth, early, do: [{action, ..., on: other simulator's name}]}`."""
        steps: list[dict[str, Any]] = body["do"]

        def act() -> None:
            for step in steps:
                rest = {key: value for key, value in step.items() if key not in ("action", "on")}
                try:
                    self.panels[step.get("on", self._simulator.name)].do(step["action"], rest)
                except Exception:
                    self._simulator.counters.error(traceback.format_exc())

        early = bool(body.get("early", False))
        self._simulator.after(body["route"], int(body.get("nth", 1)), act, early=early)
        return {}

    def _hold(self, body: dict[str, Any]) -> Any:
        """`{gate}`: a step of `after`; the call goes no further until `let_go` opens the gate."""
        gate = str(body["gate"])
        self._held[gate] += 1
        self._gates[gate].wait(HOLD_SECONDS)
        return {}

    def _let_go(self, body: dict[str, Any]) -> Any:
        self._gates[str(body["gate"])].set()
        return {}
