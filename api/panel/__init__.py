"""The control panel at `/`: a file a page. Pages are rendered here; what they show and do is in `workers`."""

from __future__ import annotations

from flask import Blueprint, Flask

from api.panel import assets, door, look

NAME = "panel"


def init_app(app: Flask) -> None:
    """Mount all pages; `auth.init_app` is told of `door.principal` for them."""
    from api.panel import (
        account,
        api_docs,
        audit_log,
        companies,
        items,
        jobs,
        overview,
        queues,
        runs,
        settings,
        sign_in,
        site,
        site_editor,
        site_webhooks,
        sites,
        tokens,
        users,
        webhook_log,
    )

    panel = Blueprint(NAME, __name__)
    for page in (
        sign_in,
        account,
        overview,
        sites,
        site,
        site_editor,
        site_webhooks,
        companies,
        runs,
        items,
        queues,
        jobs,
        webhook_log,
        settings,
        users,
        tokens,
        audit_log,
        api_docs,
    ):
        panel.register_blueprint(page.blueprint())
    assets.init_app(app)
    door.init_app(app, panel)
    look.init_app(app)
    app.register_blueprint(panel)
