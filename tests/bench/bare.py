"""What the receivers are measured against: the least that a Flask view with one INSERT can be."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from models.database import configure, execute

_INSERT = """
    INSERT INTO rm_webhook_log (site_id, event_type, status, headers, body, body_bytes)
    VALUES (%s, 'store/product/updated', 'received', %s, %s, %s)
"""
_HEADERS = (
    '{"Content-Type": "application/json", "webhook-id": "msg_00000001", "webhook-timestamp": "1700000000"}'
)


def create_app() -> Flask:
    """No proof, no job, no log, no error shape: the body goes into a row."""
    configure()
    app = Flask("bare")

    @app.post("/webhooks/bigcommerce/<int:site_id>")
    def receive(site_id: int) -> Response:
        body = request.get_data(cache=False)
        execute(_INSERT, (site_id, _HEADERS, body.decode(), len(body)))
        return jsonify(status="received")

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    return app
