"""The REST API as an integrator uses it: over HTTP, with a bearer token, nothing else."""

from __future__ import annotations

from typing import Any

import requests

from api.commands.shared import Failure

TIMEOUT_SECONDS = 30.0


class RestClient:
    """The few calls that the demo makes. Each raises Failure with the API's own words."""

    def __init__(self, url: str, token: str) -> None:
        self.base = f"{url}/api/v1"
        self.token = token
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment has no business on loopback
        self._session.headers["Authorization"] = f"Bearer {token}"

    def add_company(self, described: dict[str, Any]) -> int:
        """Store a company; gives its id."""
        return int(self._ask("POST", "companies", described)["id"])

    def add_site(self, described: dict[str, Any]) -> int:
        """Store a site, active, so that its first full sync starts; gives its id."""
        return int(self._ask("POST", "sites", described)["id"])

    def newest_runs(self) -> dict[int, int]:
        """The newest run of each site."""
        newest: dict[int, int] = {}
        for run in self._ask("GET", "sync-runs?limit=100")["items"]:
            newest.setdefault(run["site_id"], run["id"])
        return newest

    def run(self, run_id: int) -> dict[str, Any]:
        """How far a run is."""
        return self._ask("GET", f"sync-runs/{run_id}")

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, f"{self.base}/{path}", json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise Failure(f"the API did not answer {method} {path}: {error}") from error
        if not answer.ok:
            raise Failure(f"the API refused {method} {path} with {answer.status_code}: {answer.text[:500]}")
        found: dict[str, Any] = answer.json()
        return found
