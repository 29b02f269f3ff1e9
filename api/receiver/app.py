"""The webhook receivers' process: a small app of its own, so that nothing else can slow an answer down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from api import auth, edge, errors, health
from api.gunicorn_conf import RECEIVER
from api.receiver.routes import Receiver
from models.database import configure
from models.patience import bound_all_waits, within
from workers import log
from workers.broker import connect_sender

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ANSWER_SECONDS = 4.0  # PostgreSQL's part of an answer: WooCommerce hangs up after 5 s, BigCommerce after 10 s


def create_app(role: str = "receiver") -> Flask:
    """The app, on the database of the settings. Raises SettingsError."""
    log.configure(role)
    configure(wait_seconds=ANSWER_SECONDS)
    bound_all_waits()
    app = Flask("receiver", static_folder=None)
    edge.init_app(app)
    errors.init_app(app)
    auth.init_app(app)
    app.register_blueprint(health.blueprint())
    app.extensions[RECEIVER] = receiver = Receiver()
    app.register_blueprint(receiver.blueprint())
    app.wsgi_app = _in_time(app.wsgi_app)  # type: ignore[method-assign, assignment]
    connect_sender()
    return app


def _in_time(app: WSGIApplication) -> WSGIApplication:
    """What an answer needs of PostgreSQL comes within ANSWER_SECONDS, or the answer is 503."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with within(ANSWER_SECONDS):
            return app(environ, start_response)

    return answer
