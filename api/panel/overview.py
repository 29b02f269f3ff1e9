"""The overview: is everything right, and if not, what needs somebody?"""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from api.auth import needs
from api.panel.look import page
from models.alert import OPEN, Alert
from models.database import session
from workers import figures, standing

ALERTS_SHOWN = 20


def blueprint() -> Blueprint:
    """`/`."""
    pages = Blueprint("overview", __name__)
    pages.get("/")(show)
    return pages


@needs("read")
def show() -> Response:
    """All on one page; its live part is asked for anew every few seconds."""
    with session():
        totals = standing.totals()
        alerts = list(Alert.select().where(Alert.state == OPEN).order_by(Alert.id.desc()).limit(ALERTS_SHOWN))
        minutes = figures.minutes()
        return page(
            "overview.html",
            title="Overview",
            verdict=standing.verdict(totals, [alert.sentence for alert in alerts]),
            totals=totals,
            alerts=alerts,
            queue=figures.queue(),
            sites=standing.sites(),
            times=[int(entry.minute.timestamp()) for entry in minutes],
            jobs=[entry.completed + entry.failed for entry in minutes],
            oldest=[round(entry.oldest_seconds, 1) for entry in minutes],
        )
