"""One change of one alert, as it is told: fixed when it happens, however late it goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PREFIXES = {"open": "Alert", "changed": "Changed", "resolved": "Resolved", "test": "Test"}


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is given. news: open, changed, resolved or test. site: `{"id", "name"}` or None.

    at: when it happened, ISO 8601 in UTC. (alert_id, change) names it: one that arrives twice is the same one.
    """

    alert_id: int
    change: int
    kind: str
    subject: str
    news: str
    sentence: str
    at: str
    site: Mapping[str, Any] | None
    details: Mapping[str, Any]

    @classmethod
    def stored(cls, payload: Mapping[str, Any]) -> Message:
        """Out of a job's payload."""
        return cls(**payload["message"])

    def stores(self) -> dict[str, Any]:
        """For a job's payload."""
        return asdict(self)

    @property
    def state(self) -> str:
        """open, resolved or test."""
        return "open" if self.news == "changed" else self.news

    @property
    def line(self) -> str:
        """`Resolved: The sync of Outlet failed: ...`"""
        return f"{PREFIXES[self.news]}: {self.sentence}"

    def body(self) -> dict[str, Any]:
        """As JSON. `text` is what Slack and Teams show; what they would take for markup in it is escaped."""
        escaped = self.line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {
            "text": escaped,
            "id": f"{self.alert_id}.{self.change}",
            "kind": self.kind,
            "subject": self.subject,
            "state": self.state,
            "news": self.news,
            "sentence": self.sentence,
            "at": self.at,
            "site": self.site,
            "details": self.details,
        }
