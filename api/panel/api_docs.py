"""API docs: the OpenAPI document, to read and to try."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from api.auth import needs
from api.panel.look import page


def blueprint() -> Blueprint:
    """`/api-docs`."""
    pages = Blueprint("api_docs", __name__)
    pages.get("/api-docs")(show)
    return pages


@needs("read")
def show() -> Response:
    """The viewer fetches the document itself, and asks the API with the token that the reader gives it."""
    return page("api_docs.html", title="API docs")
