"""Style sheets and scripts: all our own files, named by their content, so that a browser asks for each once."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from flask import Flask, Response, send_from_directory, url_for

from api.auth import PUBLIC, needs

FOLDER = Path(__file__).parent.parent / "static"
YEAR_SECONDS = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    """Serve them; templates say `asset("panel.css")`."""
    app.add_url_rule("/static/<path:filename>", "static", needs(PUBLIC)(_static))
    app.jinja_env.globals["asset"] = asset


def asset(filename: str) -> str:
    """The address of a file as it is now."""
    return url_for("static", filename=filename, v=_version(filename))


@functools.cache
def _version(filename: str) -> str:
    return hashlib.sha256((FOLDER / filename).read_bytes()).hexdigest()[:12]


def _static(filename: str) -> Response:
    # The address holds the version, so what was fetched once stays right for ever.
    response = send_from_directory(FOLDER, filename, max_age=YEAR_SECONDS)
    response.cache_control.public = True
    response.cache_control.immutable = True
    return response
