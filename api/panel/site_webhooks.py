"""A site's webhooks at its shop: asked for, put right, tried."""

from __future__ import annotations

from flask import Blueprint, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs
from api.panel.look import go, page
from api.rest import routes
from workers import sites
from workers.webhooks import registration, trial


def blueprint() -> Blueprint:
    """`/sites/ID/webhooks/...`."""
    pages = Blueprint("site_webhooks", __name__)
    at = f"/sites{routes.row_path('site_id')}/webhooks"
    pages.post(f"{at}/status")(look)
    pages.post(f"{at}/register")(register)
    pages.post(f"{at}/test")(test)
    return pages


@needs("sync")
def look(site_id: int) -> Response:
    """Ask the shop what is registered; changes nothing there."""
    found = registration.status(sites.get(site_id))
    audit.note(healthy=found.healthy)
    if found.healthy:
        return go(_back(site_id), "The shop tells us of everything.")
    missing = sum(topic.state != registration.HEALTHY for topic in found.topics)
    return go(_back(site_id), f"{missing} webhooks are missing or disabled: register them.", "warn")


@needs("admin")
def register(site_id: int) -> Response:
    """Create what is missing, bring back what is disabled, remove what is stale of ours."""
    done = registration.register(sites.get(site_id), request_id=routes.request_id())
    figures = {
        name: len(getattr(done, name)) for name in ("created", "restored", "updated", "removed", "kept")
    }
    audit.note(hooks=figures)
    told = ", ".join(f"{number} {name}" for name, number in figures.items() if number)
    more = f" Sync {done.sync_run_id} makes up for what was missed." if done.sync_run_id else ""
    return go(_back(site_id), f"The webhooks are registered: {told}.{more}")


@needs("admin")
def test(site_id: int) -> Response:
    """Send a delivery of our own through the public address, and follow it to its effect."""
    site = sites.get(site_id)
    found = trial.send(site)
    audit.note(ok=found.ok)
    return page(
        "checks.html",
        title=f"Test of the webhooks of {site.name}",
        checks=found.steps,
        verdict=f"A delivery came through in {found.seconds:.1f} s."
        if found.ok
        else "A delivery did not come through.",
        edit=None,
        back=_back(site_id),
    )


def _back(site_id: int) -> str:
    return url_for("panel.site.show", site_id=site_id, _anchor="webhooks")
