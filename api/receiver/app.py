"""The webhook receivers' process: a small app of its own, so that nothing else can slow an answer down."""

from __future__ import annotations

from flask import Flask

from api import auth, edge, errors, health
from api.receiver.routes import Receiver
from models.database import configure
from workers import log
from workers.broker import connect_sender


def create_app(role: str = "receiver") -> Flask:
    """The app, on the database of the settings. Raises SettingsError."""
    log.configure(role)
    configure()
    app = Flask("receiver", static_folder=None)
    edge.init_app(app)
    errors.init_app(app)
    auth.init_app(app)
    app.register_blueprint(health.blueprint())
    app.register_blueprint(Receiver().blueprint())
    connect_sender()
    return app
