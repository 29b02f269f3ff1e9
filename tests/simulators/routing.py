"""Which handler answers which method and path."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .wire import Request, Response

Handler = Callable[[Request], Response]


@dataclass(frozen=True)
class Route:
    """A vendor's call. `name` is how calls are counted and faults aimed: `GET /catalog/products`."""

    method: str
    template: str
    handler: Handler
    writes_stock: bool
    pattern: re.Pattern[str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


class Router:
    """Routes in the order they were added; `{name}` takes one path segment, or what stands in brackets."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(
        self, method: str, prefix: str, template: str, handler: Handler, writes_stock: bool = False
    ) -> None:
        parts = re.split(r"(\{\w+\})", prefix + template)
        pattern = "".join(f"(?P<{p[1:-1]}>[^/()]+)" if p.startswith("{") else re.escape(p) for p in parts)
        self._routes.append(Route(method, template, handler, writes_stock, re.compile(pattern + "/?")))

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        for route in self._routes:
            if route.method == method:
                match = route.pattern.fullmatch(path)
                if match is not None:
                    return route, match.groupdict()
        return None, {}

    def names(self) -> list[str]:
        return [route.name for route in self._routes]
