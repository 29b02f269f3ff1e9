"""What the three simulators share: routing, counting, faults, latency, hooks after the nth call, control."""

from __future__ import annotations

import random
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from .control import ControlPanel
from .counters import REQUESTS, Counters
from .fault_actions import misbehave
from .faults import FaultPlan, matches
from .routing import Handler, Route, Router
from .server import Connection, HttpServer
from .wire import RefusalError, Request, Response, json_response


class Simulator:
    """A vendor's server. Subclasses add routes, `check` (authentication, quotas), the words of errors."""

    def __init__(self, name: str, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.router = Router()
        self.counters = Counters()
        self.faults = FaultPlan()
        self.latency_seconds = 0.0
        self.jitter_seconds = 0.0
        self._jitter = random.Random(name)
        self.control = ControlPanel(self)
        self._last_good: dict[str, Response] = {}  # by route
        self._after: list[_After] = []
        self._after_lock = threading.Lock()
        self._writes: list[Connection] = []
        self._writes_lock = threading.Lock()
        self.server = HttpServer(self, port, tls)

    # What a vendor overrides

    def check(self, request: Request, route: Route) -> None:
        """Raises RefusalError where the vendor would answer before looking at what is asked."""

    def occupy(self, request: Request, route: Route) -> AbstractContextManager[None]:
        """A place among the requests that the vendor works on at once; held for the latency too."""
        return self._counted()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self.counters.under_way(REQUESTS):
            yield

    def finish(self, request: Request, route: Route | None, response: Response) -> None:
        """Adds what the vendor puts on every answer."""

    def concurrent_write(self, request: Request) -> None:
        """A stock write came before another one had been answered."""

    def revoke(self) -> None:
        """Takes back tokens, for the fault `token_revoked`; keys of a shop just get their 401."""

    def unknown_route(self, request: Request) -> Response:
        raise NotImplementedError

    def error_answer(self, status: int, retry_after: int | None) -> Response:
        """An error in this vendor's shape, for the fault plan."""
        raise NotImplementedError

    # What is common

    def route(
        self, method: str, prefix: str, template: str, handler: Handler, writes_stock: bool = False
    ) -> None:
        self.router.add(method, prefix, template, handler, writes_stock)

    def after(self, route: str, nth: int, act: Callable[[], Any], *, early: bool = False) -> None:
        """Does `act` once: when the nth next matching call has been worked on, before it is answered.

        early: when it has come, before it is worked on.
        """
        with self._after_lock:
            self._after.append(_After(route, nth, act, early))

    def serve(self, request: object, connection: Connection) -> bool:
        assert isinstance(request, Request)
        if request.path.startswith("/__control__/"):
            return connection.send(self.control.answer(request))
        route, request.params = self.router.find(request.method, request.path)
        name = route.name if route else f"{request.method} (unknown)"
        self.counters.call(name)
        kind = self.faults.draw(name)
        is_write = route is not None and route.writes_stock
        with self._write_window(request, connection) if is_write else nullcontext():
            if kind is None:
                response = self._answer(request, route, name)
                if response.status == 200:
                    self._last_good[name] = response
                keep_alive = request.header("connection").lower() != "close"
                kept = connection.send(response, keep_alive)
                self.counters.answered(name, request, response.status)
                return kept
            self.counters.fault(kind)
            outcome = misbehave(
                kind,
                self,
                connection,
                lambda: self._answer(request, route, name),
                is_write=is_write,
                earlier=self._last_good.get(name),
            )
        state, _, status = outcome.rpartition(" ")
        self.counters.answered(name, request, int(status) if state == "open" else outcome)
        return state == "open"

    def _answer(self, request: Request, route: Route | None, name: str) -> Response:
        try:
            response = self._work(request, route)
        except RefusalError as refusal:
            response = refusal.response
        except Exception:
            text = traceback.format_exc()
            self.counters.error(text)
            response = json_response({"simulator_error": text.splitlines()[-1]}, 500)
        self.finish(request, route, response)
        self._fire(name, early=False)
        return response

    def _work(self, request: Request, route: Route | None) -> Response:
        if route is None:
            self.counters.violation("unknown_route", f"{request.method} {request.target}")
            return self.unknown_route(request)
        with self.occupy(request, route):
            if self.latency_seconds:
                time.sleep(self.latency_seconds)
            self._fire(route.name, early=True)
            self.check(request, route)
            response = route.handler(request)
            if self.jitter_seconds:
                # Mostly short, now and then long: so many an answer is overtaken by one of a later call.
                time.sleep(self.jitter_seconds * self._jitter.random() ** 4)
            return response

    def _fire(self, name: str, *, early: bool) -> None:
        with self._after_lock:
            due = [after for after in self._after if after.early == early and after.counts_down(name)]
            self._after = [after for after in self._after if after not in due]
        for after in due:
            after.act()

    @contextmanager
    def _write_window(self, request: Request, connection: Connection) -> Iterator[None]:
        """From a stock write's arrival to its answer. One whose client has gone stands in nobody's way."""
        with self._writes_lock:
            others = [other for other in self._writes if not other.peer_has_gone()]
            self._writes.append(connection)
        if others:
            self.concurrent_write(request)
        try:
            with self.counters.under_way("stock writes"):
                yield
        finally:
            with self._writes_lock:
                self._writes.remove(connection)


class _After:
    """One thing to do after the nth call of a route, or `early`, before it is worked on."""

    def __init__(self, route: str, nth: int, act: Callable[[], Any], early: bool) -> None:
        self.route = route
        self.left = nth
        self.act = act
        self.early = early

    def counts_down(self, name: str) -> bool:
        if not matches(self.route, name):
            return False
        self.left -= 1
        return self.left == 0
