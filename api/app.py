"""The web process: the panel at /, REST under /api/v1, health, metrics."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify
from flask_openapi3 import Info, OpenAPI

from api import audit, auth, edge, errors, health, panel
from api.auth import PUBLIC, needs
from api.rest import blueprints, examples, routes
from models.database import configure
from workers import log
from workers.broker import connect_sender

VERSION = "1"
DOCUMENT = f"{routes.PREFIX}/openapi.json"
_ABOUT = (
    "Keeps the stock of shops equal to Business Central. All errors are RFC 9457 problem details. Lists are "
    "`{items, next}`, with `limit` and `cursor`. Times are ISO 8601 in UTC."
)
_BEARER = {"type": "http", "scheme": "bearer", "description": "Scopes: read < sync < admin."}


class _Api(OpenAPI):
    """flask-openapi3, without the 422 of its own shape that it adds to every operation."""

    def generate_spec_json(self) -> None:
        super().generate_spec_json()
        for item in self.spec_json["paths"].values():
            for operation in item.values():
                if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                    del operation["responses"]["422"]
        examples.add_to(self.spec_json)


def create_app(role: str = "web") -> Flask:
    """The app, on the database of the settings. Raises SettingsError."""
    log.configure(role)
    configure()
    connect_sender()
    app = _Api(
        "api",
        info=Info(title="Inventory Sync", version=VERSION, description=_ABOUT),
        security_schemes={"bearer": _BEARER},
        validation_error_model=errors.Problem,
        validation_error_callback=errors.refuse,
        doc_ui=False,
        static_folder=None,
    )
    edge.init_app(app)
    errors.init_app(app)
    auth.init_app(app, {panel.NAME: panel.door.principal})
    audit.init_app(app)
    app.before_request(routes.check_body)
    app.register_blueprint(health.blueprint())
    for api in blueprints():
        app.register_api(api)
    panel.init_app(app)
    _publish(app)
    return app


def _publish(app: _Api) -> None:
    document: dict[str, Any] = app.api_doc

    @needs(PUBLIC)
    def openapi() -> Response:
        return jsonify(document)

    app.add_url_rule(DOCUMENT, view_func=openapi)
